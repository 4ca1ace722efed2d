import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { useActing } from "../../api/acting";
import { faultsByField } from "../../api/problem";
import { formatNumber } from "../../lib/format";
import { Button } from "../../ui/button";
import { Field, focusFirstInvalid } from "../../ui/field";
import { Refusal } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Draft, EMPTY_DRAFT, toRequest } from "./draft";
import { useCreateScheduledCall, useServiceNumbers } from "./scheduled_calls";
import { VariableFields } from "./variable_fields";

const FIELDS = [
  "service_number",
  "first_party",
  "presentation_number",
  "not_before",
  "expires_at",
  "ring_duration_s",
  "variables",
  "reference",
] as const;

export function ScheduledCallForm() {
  const { account } = useActing();
  const create = useCreateScheduledCall(account.id);
  const numbers = useServiceNumbers(account.id);
  const navigate = useNavigate();
  const form = useRef<HTMLFormElement>(null);
  const key = useRef({ of: "", key: "" });
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const [isLater, setLater] = useState(false);
  // A fault of a field that is not shown is told above the form.
  const shownFields = FIELDS.filter((field) => isLater || field !== "not_before");
  const { fields, others } = faultsByField(create.error, shownFields);
  const faultCount = Object.keys(fields).length + others.length;

  useEffect(() => {
    if (create.error) focusFirstInvalid(form.current);
  }, [create.error]);

  const set = (changed: Partial<Draft>) => setDraft((before) => ({ ...before, ...changed }));

  const submit = () => {
    if (create.isPending) return;
    const given = isLater ? draft : { ...draft, notBefore: "" };
    const body = toRequest(given, account.time_zone);
    // The same input sent again, after a lost answer, is the same call; other input is another.
    const sent = JSON.stringify(body);
    if (key.current.of !== sent) key.current = { of: sent, key: crypto.randomUUID() };
    create.mutate(
      { body, key: key.current.key },
      { onSuccess: ({ id }) => void navigate(`../scheduled-calls/${id}`) },
    );
  };

  return (
    <Page title="New scheduled call" back={{ to: "../scheduled-calls", label: "Scheduled calls" }}>
      <form
        ref={form}
        noValidate
        className="panel form-panel"
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div className="panel-body form">
          {create.error && (
            <Refusal
              title={
                faultCount > 1
                  ? `The call was not scheduled: ${faultCount} things stand against it`
                  : "The call was not scheduled"
              }
              reasons={others}
            />
          )}
          <div className="form-pair">
            <Field
              label="Service number"
              hint="Its call plan runs when the call is answered."
              error={fields.service_number}
            >
              {(control) => (
                <input
                  {...control}
                  list="service-numbers"
                  inputMode="tel"
                  autoComplete="off"
                  autoFocus
                  placeholder="+441632960001"
                  value={draft.serviceNumber}
                  onChange={(event) => set({ serviceNumber: event.target.value })}
                />
              )}
            </Field>
            <datalist id="service-numbers">
              {numbers.items?.map(({ id, number, description }) => (
                <option key={id} value={number}>
                  {[formatNumber(number), description].filter(Boolean).join(" – ")}
                </option>
              ))}
            </datalist>
            <Field
              label="First party"
              hint="Who is called: a number with its country code, or a SIP address."
              error={fields.first_party}
            >
              {(control) => (
                <input
                  {...control}
                  autoComplete="off"
                  placeholder="+447700900123"
                  value={draft.firstParty}
                  onChange={(event) => set({ firstParty: event.target.value })}
                />
              )}
            </Field>
          </div>
          <fieldset className="field">
            <legend className="field-label">When</legend>
            <div className="choice">
              <label>
                <input
                  type="radio"
                  name="when"
                  checked={!isLater}
                  onChange={() => setLater(false)}
                />
                Now
              </label>
              <label>
                <input type="radio" name="when" checked={isLater} onChange={() => setLater(true)} />
                At a time
              </label>
            </div>
          </fieldset>
          <div className="form-pair">
            {isLater && (
              <Field
                label="Not before"
                hint={`In the account's time zone, ${account.time_zone}.`}
                error={fields.not_before}
              >
                {(control) => (
                  <input
                    {...control}
                    type="datetime-local"
                    value={draft.notBefore}
                    onChange={(event) => set({ notBefore: event.target.value })}
                  />
                )}
              </Field>
            )}
            <Field
              label="Give up at"
              optional
              hint="A call that could not begin by then expires."
              error={fields.expires_at}
            >
              {(control) => (
                <input
                  {...control}
                  type="datetime-local"
                  value={draft.expiresAt}
                  onChange={(event) => set({ expiresAt: event.target.value })}
                />
              )}
            </Field>
          </div>
          <div className="form-pair">
            <Field
              label="Presentation number"
              optional
              hint="What the first party sees; the service number, unless you choose another."
              error={fields.presentation_number}
            >
              {(control) => (
                <input
                  {...control}
                  list="service-numbers"
                  inputMode="tel"
                  autoComplete="off"
                  value={draft.presentationNumber}
                  onChange={(event) => set({ presentationNumber: event.target.value })}
                />
              )}
            </Field>
            <Field
              label="Ring for"
              optional
              hint="Seconds, 1 to 60."
              error={fields.ring_duration_s}
            >
              {(control) => (
                <input
                  {...control}
                  type="number"
                  min="1"
                  max="60"
                  value={draft.ringDuration}
                  onChange={(event) => set({ ringDuration: event.target.value })}
                />
              )}
            </Field>
          </div>
          <Field
            label="Reference"
            optional
            hint="Your own name for this call, to find it again."
            error={fields.reference}
          >
            {(control) => (
              <input
                {...control}
                autoComplete="off"
                value={draft.reference}
                onChange={(event) => set({ reference: event.target.value })}
              />
            )}
          </Field>
          <VariableFields
            variables={draft.variables}
            error={fields.variables}
            onChange={(variables) => set({ variables })}
          />
          <div className="form-actions">
            <Button type="submit" kind="primary" busy={create.isPending}>
              {create.isPending ? "Scheduling…" : isLater ? "Schedule the call" : "Call now"}
            </Button>
            <Button onClick={() => void navigate("../scheduled-calls")}>Cancel</Button>
          </div>
        </div>
      </form>
    </Page>
  );
}
