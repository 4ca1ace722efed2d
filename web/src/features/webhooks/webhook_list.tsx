import { useState } from "react";
import { Link } from "react-router";
import { useActing } from "../../api/acting";
import type { Webhook } from "../../api/types";
import { formatDateTime } from "../../lib/format";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Empty, Failure, Loading } from "../../ui/notice";
import { Page } from "../../ui/page";
import { type Column, Table, TableFoot } from "../../ui/table";
import { useToast } from "../../ui/toast";
import { WebhookForm } from "./webhook_form";
import { healthOf, useEnableWebhooks, useWebhooks } from "./webhooks";

export function WebhookList() {
  const { account } = useActing();
  const webhooks = useWebhooks(account.id);
  const enable = useEnableWebhooks(account.id);
  const [isCreating, setCreating] = useState(false);
  const toast = useToast();
  const disabled = webhooks.items?.filter(({ status }) => status === "disabled") ?? [];

  const columns: Column<Webhook>[] = [
    {
      title: "Address",
      wraps: true,
      cell: ({ id, url }) => <Link to={id}>{url}</Link>,
    },
    { title: "Description", wraps: true, cell: ({ description }) => description },
    {
      title: "Events",
      wraps: true,
      cell: ({ event_types }) => (event_types.length === 0 ? "All" : event_types.join(", ")),
    },
    {
      title: "State",
      cell: (webhook) => {
        const { tone, text } = healthOf(webhook);
        return <Badge tone={tone}>{text}</Badge>;
      },
    },
    {
      title: "Created",
      cell: ({ created_at }) => formatDateTime(created_at, account.time_zone),
    },
  ];

  const create = (
    <Button kind="primary" onClick={() => setCreating(true)}>
      New webhook
    </Button>
  );

  return (
    <Page
      title="Webhooks"
      actions={
        <>
          {disabled.length > 0 && (
            <Button
              busy={enable.isPending}
              onClick={() =>
                enable.mutate(undefined, {
                  onSuccess: ({ items }) => toast(`${items.length} enabled.`),
                  onError: (error) => toast(`They were not enabled. ${error.message}`, "bad"),
                })
              }
            >
              Enable all that are disabled
            </Button>
          )}
          {create}
        </>
      }
    >
      {disabled.some(({ disabled_cause }) => disabled_cause !== "by_hand") && (
        <div className="notice" data-tone="bad" role="alert">
          <div className="notice-text">
            <p className="notice-title">Some webhooks get no events any more</p>
            <p>
              Their addresses answered 410, or took nothing for a day. Mend them and enable them
              again; what they missed can be replayed.
            </p>
          </div>
        </div>
      )}
      {webhooks.error ? (
        <Failure
          title="The webhooks could not be loaded"
          error={webhooks.error}
          onRetry={webhooks.retry}
        />
      ) : webhooks.items === undefined ? (
        <Loading label="Loading webhooks" />
      ) : webhooks.items.length === 0 ? (
        <Empty title="No webhooks yet">
          <p className="quiet">
            A webhook sends events of calls, recordings and more to an address of yours, signed and
            in order.
          </p>
          {create}
        </Empty>
      ) : (
        <div>
          <Table label="Webhooks" columns={columns} rows={webhooks.items} rowKey={({ id }) => id} />
          <TableFoot
            shown={webhooks.items.length}
            noun="webhook"
            hasMore={webhooks.hasMore}
            isLoadingMore={webhooks.isLoadingMore}
            onMore={webhooks.loadMore}
          />
        </div>
      )}
      {isCreating && <WebhookForm onClose={() => setCreating(false)} />}
    </Page>
  );
}
