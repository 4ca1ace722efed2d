import { render, screen } from "@testing-library/react";
import { Field } from "./field";

test("control_is_tied_to_its_label_hint_and_error", () => {
  render(
    <Field label="Ring for" hint="Seconds." error="Ring between 1 and 60 seconds.">
      {(control) => <input {...control} />}
    </Field>,
  );
  const control = screen.getByLabelText("Ring for");
  expect(control).toBeInvalid();
  expect(control).toHaveAccessibleDescription("Ring between 1 and 60 seconds. Seconds.");
});

test("control_without_error_is_valid", () => {
  render(<Field label="Name">{(control) => <input {...control} />}</Field>);
  expect(screen.getByLabelText("Name")).toBeValid();
});
