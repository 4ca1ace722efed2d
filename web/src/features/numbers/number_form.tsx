import { useState } from "react";
import { faultsByField } from "../../api/problem";
import type { CallPlan, ServiceNumber } from "../../api/types";
import { formatNumber } from "../../lib/format";
import { words } from "../../lib/words";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Refusal } from "../../ui/notice";
import { useToast } from "../../ui/toast";
import { STATUSES, useChangeNumber } from "./numbers";

const FIELDS = ["call_plan", "status", "description"] as const;

interface NumberFormProps {
  number: ServiceNumber;
  plans: readonly CallPlan[];
  onClose: () => void;
}

/** Assigns a call plan to a number and changes its status and description. */
export function NumberForm({ number, plans, onClose }: NumberFormProps) {
  const change = useChangeNumber(number);
  const toast = useToast();
  const [plan, setPlan] = useState(number.call_plan ?? "");
  const [status, setStatus] = useState(number.status);
  const [description, setDescription] = useState(number.description);
  const { fields, others } = faultsByField(change.error, FIELDS);
  const written = formatNumber(number.number);

  const submit = () => {
    if (change.isPending) return;
    change.mutate(
      {
        call_plan: plan === "" ? null : plan,
        status,
        description,
      },
      {
        onSuccess: () => {
          toast(`${written} is changed.`);
          onClose();
        },
      },
    );
  };

  return (
    <Dialog
      title={`Change ${written}`}
      onClose={onClose}
      onSubmit={submit}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={change.isPending}>
            {change.isPending ? "Saving…" : "Save"}
          </Button>
        </>
      }
    >
      {change.error && <Refusal title="The number was not changed" reasons={others} />}
      <Field
        label="Active call plan"
        hint="Calls that begin from now on run this plan's published version."
        error={fields.call_plan}
      >
        {(control) => (
          <select {...control} value={plan} onChange={(event) => setPlan(event.target.value)}>
            <option value="">None</option>
            {plans.map(({ id, name, published_version }) => (
              <option key={id} value={id}>
                {published_version == null ? `${name} (not published)` : name}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Status" error={fields.status}>
        {(control) => (
          <select
            {...control}
            value={status}
            onChange={(event) => setStatus(event.target.value as ServiceNumber["status"])}
          >
            {STATUSES.map((name) => (
              <option key={name} value={name}>
                {words(name)}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Description" optional error={fields.description}>
        {(control) => (
          <input
            {...control}
            value={description}
            onChange={(event) => setDescription(event.target.value)}
          />
        )}
      </Field>
    </Dialog>
  );
}
