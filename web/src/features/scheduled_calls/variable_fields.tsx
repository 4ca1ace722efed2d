import { Button } from "../../ui/button";
import type { Variable } from "./draft";

interface VariableFieldsProps {
  variables: readonly Variable[];
  error: string | undefined;
  onChange: (variables: readonly Variable[]) => void;
}

/** Names and values that the call plan reads as its variables. */
export function VariableFields({ variables, error, onChange }: VariableFieldsProps) {
  const change = (id: number, changed: Partial<Variable>) =>
    onChange(variables.map((old) => (old.id === id ? { ...old, ...changed } : old)));
  const add = () =>
    onChange([...variables, { id: (variables.at(-1)?.id ?? 0) + 1, name: "", value: "" }]);
  const invalid = error === undefined ? undefined : true;

  return (
    <fieldset className="field">
      <legend className="field-label">
        Variables <span className="field-optional">(optional)</span>
      </legend>
      {error !== undefined && <p className="field-error">{error}</p>}
      <div>
        {variables.map(({ id, name, value }, index) => (
          <div key={id} className="variable-row">
            <input
              className="input"
              aria-label={`Name of variable ${index + 1}`}
              aria-invalid={invalid}
              placeholder="Name"
              value={name}
              onChange={(event) => change(id, { name: event.target.value })}
            />
            <input
              className="input"
              aria-label={`Value of variable ${index + 1}`}
              placeholder="Value"
              value={value}
              onChange={(event) => change(id, { value: event.target.value })}
            />
            <Button
              aria-label={`Remove variable ${index + 1}`}
              onClick={() => onChange(variables.filter((variable) => variable.id !== id))}
            >
              Remove
            </Button>
          </div>
        ))}
        <Button onClick={add}>Add a variable</Button>
      </div>
      <p className="field-hint">The call plan can use them, for example in what it says.</p>
    </fieldset>
  );
}
