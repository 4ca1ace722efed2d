import { useEffect, useRef, useState } from "react";
import { useAccount, useActing } from "../../api/acting";
import { faultsByField } from "../../api/problem";
import type { Account, AccountPatch } from "../../api/types";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field, focusFirstInvalid } from "../../ui/field";
import { Refusal } from "../../ui/notice";
import { useToast } from "../../ui/toast";
import { useChangeAccount } from "./accounts";
import { LimitFields, PermissionFields } from "./grant_fields";

const FIELDS = ["name", "reference", "time_zone", "contact", "permissions", "limits"] as const;

type Contact = Account["contact"];

/** Changes an account; what is granted, and how much, only from above. */
export function AccountEdit({ account, onClose }: { account: Account; onClose: () => void }) {
  const { me } = useActing();
  const parent = useAccount(account.parent ?? undefined);
  const change = useChangeAccount(account.id);
  const toast = useToast();
  const form = useRef<HTMLDivElement>(null);
  const fromAbove = account.id !== me.account.id;
  const [name, setName] = useState(account.name);
  const [reference, setReference] = useState(account.reference ?? "");
  const [timeZone, setTimeZone] = useState(account.time_zone);
  const [contact, setContact] = useState<Contact>(account.contact);
  const [disabled, setDisabled] = useState(account.status === "disabled");
  const [permissions, setPermissions] = useState(account.permissions);
  const [limits, setLimits] = useState(account.limits);
  const { fields, others } = faultsByField(change.error, FIELDS);

  useEffect(() => {
    if (change.error) focusFirstInvalid(form.current?.closest("form") ?? null);
  }, [change.error]);

  const submit = () => {
    if (change.isPending) return;
    const own: AccountPatch = { name, time_zone: timeZone, contact };
    const granted: AccountPatch = {
      reference: reference === "" ? null : reference,
      status: disabled ? "disabled" : "active",
      permissions,
      limits,
    };
    change.mutate(fromAbove ? { ...own, ...granted } : own, {
      onSuccess: () => {
        toast(`${name} is changed.`);
        onClose();
      },
    });
  };

  return (
    <Dialog
      title={`Edit ${account.name}`}
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
      <div className="form" ref={form}>
        {change.error && <Refusal title="The account was not changed" reasons={others} />}
        <Field label="Name" error={fields.name}>
          {(control) => (
            <input {...control} value={name} onChange={({ target }) => setName(target.value)} />
          )}
        </Field>
        {fromAbove && (
          <Field
            label="Account number"
            optional
            hint="Your own name for this account."
            error={fields.reference}
          >
            {(control) => (
              <input
                {...control}
                value={reference}
                onChange={({ target }) => setReference(target.value)}
              />
            )}
          </Field>
        )}
        <Field label="Time zone" error={fields.time_zone}>
          {(control) => (
            <input
              {...control}
              value={timeZone}
              onChange={({ target }) => setTimeZone(target.value)}
            />
          )}
        </Field>
        <ContactFields contact={contact} error={fields.contact} onChange={setContact} />
        {fromAbove && (
          <>
            <label>
              <input
                type="checkbox"
                checked={disabled}
                onChange={({ target }) => setDisabled(target.checked)}
              />{" "}
              Disabled: nobody signs in, and its numbers take no calls
            </label>
            {parent.data && (
              <PermissionFields
                parent={parent.data.permissions}
                permissions={permissions}
                error={fields.permissions}
                onChange={setPermissions}
              />
            )}
            <LimitFields limits={limits} error={fields.limits} onChange={setLimits} />
          </>
        )}
      </div>
    </Dialog>
  );
}

interface ContactFieldsProps {
  contact: Contact;
  error: string | undefined;
  onChange: (contact: Contact) => void;
}

const PARTS = [
  ["name", "Name of a person or desk"],
  ["phone", "Telephone"],
  ["email", "E-mail"],
] as const;

/** Whom the users of the accounts below ask. */
function ContactFields({ contact, error, onChange }: ContactFieldsProps) {
  return (
    <fieldset className="field">
      <legend className="field-label">
        Contact <span className="field-optional">(shown to the users of the accounts below)</span>
      </legend>
      {error !== undefined && <p className="field-error">{error}</p>}
      <div className="form-pair">
        {PARTS.map(([part, label]) => (
          <Field key={part} label={label} optional>
            {(control) => (
              <input
                {...control}
                value={contact[part] ?? ""}
                onChange={({ target }) =>
                  onChange({ ...contact, [part]: target.value === "" ? null : target.value })
                }
              />
            )}
          </Field>
        ))}
      </div>
    </fieldset>
  );
}
