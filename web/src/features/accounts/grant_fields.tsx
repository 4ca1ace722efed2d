import type { Account } from "../../api/types";
import { words } from "../../lib/words";
import { Field } from "../../ui/field";

type Permissions = Account["permissions"];
type Limits = Account["limits"];
type Flag = Exclude<keyof Permissions, "destination_classes">;

/** No limits of its own: those of the accounts above hold. */
export const UNLIMITED: Limits = {
  calls: null,
  calls_per_second: null,
  scheduled_in_progress: null,
  scheduled_queued: null,
  call_duration_s: null,
};

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
    </>
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
