import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { useActing } from "../../api/acting";
import { faultsByField } from "../../api/problem";
import type { Account, AccountKind } from "../../api/types";
import { words } from "../../lib/words";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field, focusFirstInvalid } from "../../ui/field";
import { Refusal } from "../../ui/notice";
import { useToast } from "../../ui/toast";
import { kindsBelow, useCreateChild } from "./accounts";
import { LimitFields, offered, PermissionFields, UNLIMITED } from "./grant_fields";

const FIELDS = ["name", "kind", "reference", "time_zone", "permissions", "limits"] as const;

/** Creates an account below `parent`. */
export function AccountForm({ parent, onClose }: { parent: Account; onClose: () => void }) {
  const { account: acting } = useActing();
  const create = useCreateChild(parent.id);
  const navigate = useNavigate();
  const toast = useToast();
  const form = useRef<HTMLDivElement>(null);
  const kinds = kindsBelow(parent);
  const [name, setName] = useState("");
  const [kind, setKind] = useState<AccountKind>(kinds.at(-1) ?? "customer");
  const [reference, setReference] = useState("");
  const [timeZone, setTimeZone] = useState(parent.time_zone);
  const [permissions, setPermissions] = useState(offered(parent.permissions));
  const [limits, setLimits] = useState(UNLIMITED);
  const { fields, others } = faultsByField(create.error, FIELDS);

  useEffect(() => {
    if (create.error) focusFirstInvalid(form.current?.closest("form") ?? null);
  }, [create.error]);

  const submit = () => {
    if (create.isPending) return;
    create.mutate(
      {
        name,
        kind,
        time_zone: timeZone,
        permissions,
        limits,
        ...(reference === "" ? {} : { reference }),
      },
      {
        onSuccess: (account) => {
          toast(`${account.name} is created.`);
          void navigate(`/accounts/${acting.id}/tree/${account.id}`);
          onClose();
        },
      },
    );
  };

  return (
    <Dialog
      title={`New account below ${parent.name}`}
      onClose={onClose}
      onSubmit={submit}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={create.isPending}>
            {create.isPending ? "Creating…" : "Create account"}
          </Button>
        </>
      }
    >
      <div className="form" ref={form}>
        {create.error && <Refusal title="The account was not created" reasons={others} />}
        <Field label="Name" error={fields.name}>
          {(control) => (
            <input
              {...control}
              autoFocus
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <Field label="Kind" error={fields.kind}>
          {(control) => (
            <select
              {...control}
              value={kind}
              onChange={(event) => setKind(event.target.value as AccountKind)}
            >
              {kinds.map((offered) => (
                <option key={offered} value={offered}>
                  {words(offered)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field
          label="Reference"
          optional
          hint="Your own name for this account, such as a customer number."
          error={fields.reference}
        >
          {(control) => (
            <input
              {...control}
              value={reference}
              onChange={(event) => setReference(event.target.value)}
            />
          )}
        </Field>
        <Field label="Time zone" error={fields.time_zone}>
          {(control) => (
            <input
              {...control}
              list="time-zones"
              value={timeZone}
              onChange={(event) => setTimeZone(event.target.value)}
            />
          )}
        </Field>
        <PermissionFields
          parent={parent.permissions}
          permissions={permissions}
          error={fields.permissions}
          onChange={setPermissions}
        />
        <LimitFields limits={limits} error={fields.limits} onChange={setLimits} />
        <datalist id="time-zones">
          {Intl.supportedValuesOf("timeZone").map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
      </div>
    </Dialog>
  );
}
