import type { Account } from "../../api/types";
import { words } from "../../lib/words";
import { Field } from "../../ui/field";

type Permissions = Account["permissions"];
type Limits = Account["limits"];
type Flag = {
  [Name in keyof Permissions]: Permissions[Name] extends boolean ? Name : never;
}[keyof Permissions];

/** No limits of its own: those of the accounts above hold. */
export const UNLIMITED: Limits = {
  calls: null,
  calls_per_second: null,
  scheduled_in_progress: null,
  scheduled_queued: null,
  call_duration_s: null,
  agents: null,
  storage_bytes: null,
  requests_per_minute: null,
};

/** What a new account has at first: all that its parent may give without an agreement. */
export function offered(parent: Permissions): Permissions {
  return { ...parent, custom_cli: false, custom_cli_agreement: null, withheld_cli: false };
}

interface PermissionFieldsProps {
  parent: Permissions;
  permissions: Permissions;
  error: string | undefined;
  onChange: (permissions: Permissions) => void;
}

/** What an account may do; only what its parent may can be given. */
export function PermissionFields({ parent, permissions, error, onChange }: PermissionFieldsProps) {
  const flags = Object.entries(parent).flatMap(([name, allowed]) =>
    allowed === true ? [name as Flag] : [],
  );
  const classes = permissions.destination_classes;
  const agreement = permissions.custom_cli_agreement ?? { signed_on: "", document: "" };
  return (
    <>
      <fieldset className="field">
        <legend className="field-label">Permissions</legend>
        {error !== undefined && <p className="field-error">{error}</p>}
        <div className="checks">
          {flags.map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={permissions[name]}
                onChange={(event) => onChange({ ...permissions, [name]: event.target.checked })}
              />
              {words(name)}
            </label>
          ))}
        </div>
      </fieldset>
      {permissions.custom_cli && (
        <div className="form-pair">
          <Field label="Agreement signed on">
            {(control) => (
              <input
                {...control}
                type="date"
                value={agreement.signed_on}
                onChange={({ target }) =>
                  onChange({
                    ...permissions,
                    custom_cli_agreement: { ...agreement, signed_on: target.value },
                  })
                }
              />
            )}
          </Field>
          <Field label="Document of the agreement">
            {(control) => (
              <input
                {...control}
                value={agreement.document}
                onChange={({ target }) =>
                  onChange({
                    ...permissions,
                    custom_cli_agreement: { ...agreement, document: target.value },
                  })
                }
              />
            )}
          </Field>
        </div>
      )}
      <fieldset className="field">
        <legend className="field-label">May call</legend>
        <div className="checks">
          {parent.destination_classes.map((name) => (
            <label key={name}>
              <input
                type="checkbox"
                checked={classes.includes(name)}
                onChange={(event) =>
                  onChange({
                    ...permissions,
                    destination_classes: event.target.checked
                      ? [...classes, name]
                      : classes.filter((other) => other !== name),
                  })
                }
              />
              {words(name)}
            </label>
          ))}
        </div>
      </fieldset>
      <Listed
        label="Countries"
        hint="Of these numbers, only those of these countries, such as GB, FR. Empty: of every one that the account above may call."
        values={permissions.countries}
        read={(text) => text.toUpperCase()}
        onChange={(countries) => onChange({ ...permissions, countries })}
      />
      <Listed
        label="Node types"
        hint="What call plans may have, such as play_audio, ivr_menu. Empty: all that the account above may use."
        values={permissions.node_types}
        read={(text) => text.toLowerCase()}
        onChange={(node_types) => onChange({ ...permissions, node_types })}
      />
    </>
  );
}

interface ListedProps {
  label: string;
  hint: string;
  values: string[] | null | undefined;
  read: (text: string) => string;
  onChange: (values: string[] | null) => void;
}

/** A list as words with commas between them; an empty one says nothing. */
function Listed({ label, hint, values, read, onChange }: ListedProps) {
  return (
    <Field label={label} hint={hint} optional>
      {(control) => (
        <input
          {...control}
          defaultValue={values?.join(", ") ?? ""}
          onChange={({ target }) => {
            const wanted = target.value.split(/[,\s]+/).filter((text) => text !== "");
            onChange(wanted.length === 0 ? null : wanted.map(read));
          }}
        />
      )}
    </Field>
  );
}

interface LimitFieldsProps {
  limits: Limits;
  error: string | undefined;
  onChange: (limits: Limits) => void;
}

export function LimitFields({ limits, error, onChange }: LimitFieldsProps) {
  return (
    <fieldset className="field">
      <legend className="field-label">
        Limits <span className="field-optional">(empty: only those of the accounts above)</span>
      </legend>
      {error !== undefined && <p className="field-error">{error}</p>}
      <div className="form-pair">
        {(Object.keys(UNLIMITED) as (keyof Limits)[]).map((name) => (
          <Field key={name} label={words(name)}>
            {(control) => (
              <input
                {...control}
                type="number"
                min="0"
                value={limits[name] ?? ""}
                onChange={({ target }) =>
                  onChange({ ...limits, [name]: target.value === "" ? null : Number(target.value) })
                }
              />
            )}
          </Field>
        ))}
      </div>
    </fieldset>
  );
}
