import { useState } from "react";
import { useActing } from "../../api/acting";
import { faultsByField } from "../../api/problem";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Refusal } from "../../ui/notice";
import { SecretDialog } from "./secret_dialog";
import { toTypes, useCreateWebhook } from "./webhooks";

const FIELDS = ["url", "description", "event_types"] as const;

/** Creates a webhook, and shows its secret, once. */
export function WebhookForm({ onClose }: { onClose: () => void }) {
  const { account } = useActing();
  const create = useCreateWebhook(account.id);
  const [url, setUrl] = useState("");
  const [description, setDescription] = useState("");
  const [types, setTypes] = useState("");
  const [below, setBelow] = useState(false);
  const { fields, others } = faultsByField(create.error, FIELDS);

  if (create.data) return <SecretDialog secret={create.data.secret} onClose={onClose} />;
  return (
    <Dialog
      title="New webhook"
      onClose={onClose}
      onSubmit={() => {
        if (create.isPending) return;
        create.mutate({
          url,
          description,
          event_types: toTypes(types),
          include_descendants: below,
        });
      }}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={create.isPending}>
            {create.isPending ? "Creating…" : "Create"}
          </Button>
        </>
      }
    >
      {create.error && <Refusal title="The webhook was not created" reasons={others} />}
      <Field
        label="Address"
        hint="An https address that answers 2xx within ten seconds."
        error={fields.url}
      >
        {(control) => (
          <input
            {...control}
            type="url"
            placeholder="https://app.example.com/events"
            value={url}
            onChange={(event) => setUrl(event.target.value)}
          />
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
      <Field
        label="Events"
        optional
        hint="Types such as call.* or recording.ready, separated by commas. Leave empty for all."
        error={fields.event_types}
      >
        {(control) => (
          <input {...control} value={types} onChange={(event) => setTypes(event.target.value)} />
        )}
      </Field>
      <div className="checks">
        <label>
          <input
            type="checkbox"
            checked={below}
            onChange={(event) => setBelow(event.target.checked)}
          />
          Send events of the accounts below, too
        </label>
      </div>
    </Dialog>
  );
}
