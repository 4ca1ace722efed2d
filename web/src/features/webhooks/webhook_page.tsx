import { useState } from "react";
import { useNavigate, useParams } from "react-router";
import { useActing } from "../../api/acting";
import type { Delivery } from "../../api/types";
import { useFilters } from "../../lib/filters";
import { formatDateTime, toInstant } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Field } from "../../ui/field";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Facts, Page, Panel } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { useToast } from "../../ui/toast";
import { DeliveryDialog } from "./delivery_dialog";
import { SecretDialog } from "./secret_dialog";
import {
  DELIVERY_STATES,
  DELIVERY_TONES,
  healthOf,
  useDeliveries,
  useWebhook,
  useWebhookActions,
} from "./webhooks";

type Asked = "rotate" | "remove" | "replay";

/** A webhook, its deliveries, and what can be done with both. */
export function WebhookPage() {
  const { account } = useActing();
  const { webhook: id = "" } = useParams();
  const webhook = useWebhook(account.id, id);
  const actions = useWebhookActions(account.id, id);
  const [asked, setAsked] = useState<Asked>();
  const navigate = useNavigate();
  const toast = useToast();
  const list = `/accounts/${account.id}/webhooks`;
  const back = { to: list, label: "Webhooks" };
  const failed = (what: string) => (error: Error) => toast(`${what} ${error.message}`, "bad");
  const close = () => setAsked(undefined);

  if (webhook.error) {
    return (
      <Page title="Webhook" back={back}>
        <Failure
          title="The webhook could not be loaded"
          error={webhook.error}
          onRetry={() => void webhook.refetch()}
        />
      </Page>
    );
  }
  if (!webhook.data) {
    return (
      <Page title="Webhook" back={back}>
        <Loading label="Loading the webhook" />
      </Page>
    );
  }
  const { data } = webhook;
  const { tone, text } = healthOf(data);
  const isActive = data.status === "active";
  const time = (instant: string | null | undefined) =>
    instant == null ? undefined : formatDateTime(instant, account.time_zone);

  return (
    <Page
      title={data.description === "" ? "Webhook" : data.description}
      aside={<Badge tone={tone}>{text}</Badge>}
      back={back}
      actions={
        <>
          <Button
            busy={actions.test.isPending}
            onClick={() =>
              actions.test.mutate(undefined, {
                onSuccess: ({ status, latency_ms, failure }) =>
                  toast(
                    failure == null
                      ? `The test was taken: ${status} after ${latency_ms} ms.`
                      : `The test was not taken: ${failure}.`,
                    failure == null ? "good" : "bad",
                  ),
                onError: failed("The test was not sent."),
              })
            }
          >
            {actions.test.isPending ? "Sending…" : "Send a test"}
          </Button>
          <Button onClick={() => setAsked("replay")}>Replay…</Button>
          <Button onClick={() => setAsked("rotate")}>Change the secret…</Button>
          <Button
            busy={actions.change.isPending}
            onClick={() =>
              actions.change.mutate(
                { status: isActive ? "disabled" : "active" },
                { onError: failed("It was not changed.") },
              )
            }
          >
            {isActive ? "Disable" : "Enable"}
          </Button>
          <Button kind="danger" onClick={() => setAsked("remove")}>
            Remove…
          </Button>
        </>
      }
    >
      <Panel title="Where and what">
        <Facts
          facts={[
            ["Address", <span className="mono">{data.url}</span>],
            ["Events", data.event_types.length === 0 ? "All" : data.event_types.join(", ")],
            ["Accounts below", data.include_descendants ? "Included" : "Not included"],
            ["Failing since", time(data.failing_since)],
            ["Disabled since", time(data.disabled_at)],
            ["Old secret signs until", time(data.previous_secret_until)],
            ["Created", time(data.created_at)],
          ]}
        />
      </Panel>
      <Deliveries
        webhook={id}
        onReplay={(delivery) =>
          actions.replayOne.mutate(delivery, {
            onSuccess: () => toast("It is sent once more."),
            onError: failed("It was not sent again."),
          })
        }
      />
      {asked === "rotate" &&
        (actions.rotate.data ? (
          <SecretDialog
            secret={actions.rotate.data.secret}
            onClose={() => {
              actions.rotate.reset();
              close();
            }}
          />
        ) : (
          <Confirm
            title="Change the secret"
            label="Change it"
            busy={actions.rotate.isPending}
            onClose={close}
            onConfirm={() =>
              actions.rotate.mutate(undefined, { onError: failed("It was not changed.") })
            }
          >
            Events are signed with both secrets for 24 hours; after that with the new one only.
          </Confirm>
        ))}
      {asked === "remove" && (
        <Confirm
          title="Remove this webhook"
          label="Remove"
          busy={actions.remove.isPending}
          onClose={close}
          onConfirm={() =>
            actions.remove.mutate(undefined, {
              onSuccess: () => void navigate(list),
              onError: failed("It was not removed."),
            })
          }
        >
          Nothing more is sent to it, and its deliveries are forgotten.
        </Confirm>
      )}
      {asked === "replay" && (
        <ReplayDialog
          busy={actions.replay.isPending}
          onClose={close}
          onReplay={(from) =>
            actions.replay.mutate(from, {
              onSuccess: ({ deliveries }) => {
                toast(`${deliveries} events are sent once more.`);
                close();
              },
              onError: failed("Nothing is sent again."),
            })
          }
        />
      )}
    </Page>
  );
}

interface DeliveriesProps {
  webhook: string;
  onReplay: (delivery: string) => void;
}

function Deliveries({ webhook, onReplay }: DeliveriesProps) {
  const { account } = useActing();
  const { values, change } = useFilters(["state"]);
  const state = DELIVERY_STATES.find((name) => name === values.state) ?? "";
  const deliveries = useDeliveries(account.id, webhook, state);
  const [shown, setShown] = useState<string>();

  const columns: Column<Delivery>[] = [
    {
      title: "Event",
      cell: ({ id, type }) => (
        <Button kind="plain" onClick={() => setShown(id)}>
          {type}
        </Button>
      ),
    },
    { title: "Taken up", cell: (one) => formatDateTime(one.created_at, account.time_zone) },
    {
      title: "State",
      cell: (one) => <Badge tone={DELIVERY_TONES[one.state]}>{words(one.state)}</Badge>,
    },
    { title: "Attempts", align: "end", cell: ({ attempts }) => attempts },
    { title: "Answer", align: "end", cell: (one) => one.last_attempt?.status ?? "" },
    {
      title: "Took",
      align: "end",
      cell: ({ last_attempt }) => (last_attempt ? `${last_attempt.latency_ms} ms` : ""),
    },
    { title: "Failure", wraps: true, cell: (one) => one.last_attempt?.failure ?? "" },
    {
      title: "Actions",
      hideTitle: true,
      align: "end",
      tight: true,
      cell: (one) =>
        one.state !== "pending" && (
          <Button aria-label={`Send again ${one.event}`} onClick={() => onReplay(one.id)}>
            Send again
          </Button>
        ),
    },
  ];

  return (
    <Panel
      title="Deliveries"
      actions={
        <select
          className="input"
          aria-label="State"
          value={state}
          onChange={(event) => change({ state: event.target.value })}
        >
          <option value="">Any state</option>
          {DELIVERY_STATES.map((name) => (
            <option key={name} value={name}>
              {words(name)}
            </option>
          ))}
        </select>
      }
    >
      {deliveries.error ? (
        <Failure
          title="The deliveries could not be loaded"
          error={deliveries.error}
          onRetry={deliveries.retry}
        />
      ) : deliveries.items === undefined ? (
        <Loading label="Loading deliveries" />
      ) : deliveries.items.length === 0 ? (
        <Empty title="Nothing here yet">
          <p className="quiet">What is sent is listed here for 30 days.</p>
        </Empty>
      ) : (
        <div>
          <Table
            label="Deliveries"
            columns={columns}
            rows={deliveries.items}
            rowKey={({ id }) => id}
          />
          <TableFoot
            shown={deliveries.items.length}
            noun="event"
            hasMore={deliveries.hasMore}
            isLoadingMore={deliveries.isLoadingMore}
            onMore={deliveries.loadMore}
          />
        </div>
      )}
      {shown !== undefined && (
        <DeliveryDialog webhook={webhook} delivery={shown} onClose={() => setShown(undefined)} />
      )}
    </Panel>
  );
}

interface ConfirmProps {
  title: string;
  label: string;
  busy: boolean;
  onClose: () => void;
  onConfirm: () => void;
  children: string;
}

function Confirm({ title, label, busy, onClose, onConfirm, children }: ConfirmProps) {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      onSubmit={onConfirm}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            {label}
          </Button>
        </>
      }
    >
      <p>{children}</p>
    </Dialog>
  );
}

interface ReplayDialogProps {
  busy: boolean;
  onClose: () => void;
  onReplay: (from: string) => void;
}

function ReplayDialog({ busy, onClose, onReplay }: ReplayDialogProps) {
  const { account } = useActing();
  const [local, setLocal] = useState("");
  const from = toInstant(local, account.time_zone);
  return (
    <Dialog
      title="Send events again"
      onClose={onClose}
      onSubmit={() => {
        if (from !== undefined && !busy) onReplay(from);
      }}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy || from === undefined}>
            {busy ? "Asking…" : "Send again"}
          </Button>
        </>
      }
    >
      <Field label="Everything since" hint={`At most 10,000 events. ${account.time_zone}`}>
        {(control) => (
          <input
            {...control}
            type="datetime-local"
            value={local}
            onChange={(event) => setLocal(event.target.value)}
          />
        )}
      </Field>
    </Dialog>
  );
}
