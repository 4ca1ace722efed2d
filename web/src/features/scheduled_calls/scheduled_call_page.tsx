import { useState } from "react";
import { useParams } from "react-router";
import { useActing } from "../../api/acting";
import type { ScheduledCall } from "../../api/types";
import { formatDateTime, formatNumber, formatTime } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button, ButtonLink } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Failure, Loading } from "../../ui/notice";
import { Facts, Page, Panel } from "../../ui/page";
import { useToast } from "../../ui/toast";
import {
  isUnderWay,
  progressOf,
  type State,
  TONES,
  useCancelScheduledCall,
  useScheduledCall,
} from "./scheduled_calls";

export function ScheduledCallPage() {
  const { account } = useActing();
  const { scheduledCall: id = "" } = useParams();
  const call = useScheduledCall(account.id, id);
  if (call.data) return <Detail call={call.data} />;
  return (
    <Page title="Scheduled call" back={{ to: "../scheduled-calls", label: "Scheduled calls" }}>
      {call.error ? (
        <Failure
          title="The scheduled call could not be loaded"
          error={call.error}
          onRetry={() => void call.refetch()}
        />
      ) : (
        <Loading label="Loading the scheduled call" />
      )}
    </Page>
  );
}

function Detail({ call }: { call: ScheduledCall }) {
  const { account } = useActing();
  const [cancelling, setCancelling] = useState(false);
  const date = (instant: string | null | undefined) =>
    instant == null ? null : formatDateTime(instant, account.time_zone);

  return (
    <Page
      title={`Call to ${formatNumber(call.first_party)}`}
      aside={
        <span aria-live="polite">
          <Badge tone={TONES[call.state]} pulse={isUnderWay(call.state)}>
            {words(call.state)}
          </Badge>
        </span>
      }
      back={{ to: "../scheduled-calls", label: "Scheduled calls" }}
      actions={
        <>
          {call.state === "queued" && (
            <Button kind="danger" onClick={() => setCancelling(true)}>
              Cancel this call
            </Button>
          )}
          {call.call != null && (
            <ButtonLink kind="primary" to={`../records/${call.call}`}>
              Open the call record
            </ButtonLink>
          )}
        </>
      }
    >
      <Panel title="Progress">
        <ol className="progress" aria-label="Progress">
          {progressOf(call).map(({ state, isReached, isCurrent }) => {
            const at = isReached ? timeOf(call, state) : null;
            return (
              <li
                key={state}
                data-reached={isReached}
                data-tone={isReached ? TONES[state] : undefined}
                aria-current={isCurrent ? "step" : undefined}
              >
                {words(state)}
                {at != null && <time dateTime={at}>{formatTime(at, account.time_zone)}</time>}
              </li>
            );
          })}
        </ol>
      </Panel>
      <div className="columns">
        <Panel title="Result">
          {call.ended_at == null && call.cause == null ? (
            <p className="quiet">
              {call.state === "queued"
                ? "The call waits until it is due."
                : "The call is under way."}
            </p>
          ) : (
            <Facts
              facts={[
                ["Cause", call.cause == null ? null : words(call.cause)],
                ["Reason", call.failure],
                ["SIP status", call.sip_status],
                ["Answered", date(call.answered_at)],
                ["Ended", date(call.ended_at)],
              ]}
            />
          )}
        </Panel>
        <Panel title="What was asked for">
          <Facts
            facts={[
              ["Service number", formatNumber(call.service_number)],
              ["First party", formatNumber(call.first_party)],
              [
                "Presentation number",
                call.presentation_number == null ? null : formatNumber(call.presentation_number),
              ],
              ["Not before", isAtOnce(call) ? "At once" : date(call.not_before)],
              ["Give up at", date(call.expires_at)],
              ["Ring for", `${call.ring_duration_s} seconds`],
              ["Reference", call.reference],
              ...Object.entries(call.variables).map(
                ([name, value]) => [`@${name}`, value] as const,
              ),
              ["Created", date(call.created_at)],
              ["Id", <span className="mono">{call.id}</span>],
            ]}
          />
        </Panel>
      </div>
      {cancelling && <CancelDialog call={call} onClose={() => setCancelling(false)} />}
    </Page>
  );
}

/** A call that was not given a time is due when it is created. */
function isAtOnce({ not_before, created_at }: ScheduledCall): boolean {
  return Date.parse(not_before) <= Date.parse(created_at);
}

function timeOf(call: ScheduledCall, state: State): string | null | undefined {
  if (state === "queued") return call.created_at;
  if (state === "in_progress") return call.answered_at;
  return ["completed", "failed", "cancelled", "expired"].includes(state) ? call.ended_at : null;
}

function CancelDialog({ call, onClose }: { call: ScheduledCall; onClose: () => void }) {
  const { account } = useActing();
  const cancel = useCancelScheduledCall(account.id);
  const toast = useToast();
  const submit = () => {
    if (cancel.isPending) return;
    cancel.mutate(call.id, {
      onSuccess: () => {
        toast("The scheduled call is cancelled.");
        onClose();
      },
    });
  };
  return (
    <Dialog
      title="Cancel this call?"
      onClose={onClose}
      onSubmit={submit}
      actions={
        <>
          <Button onClick={onClose}>Keep it</Button>
          <Button type="submit" kind="danger" busy={cancel.isPending}>
            {cancel.isPending ? "Cancelling…" : "Cancel the call"}
          </Button>
        </>
      }
    >
      {cancel.error && <Failure title="The call was not cancelled" error={cancel.error} />}
      <p>{formatNumber(call.first_party)} will not be called.</p>
    </Dialog>
  );
}
