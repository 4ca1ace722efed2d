import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import { usePages } from "../../api/pages";
import type { Delivery, Webhook, WebhookInput, WebhookPatch } from "../../api/types";
import type { Tone } from "../../ui/badge";

export const DELIVERY_STATES = ["pending", "delivered", "failed"] as const;

export const DELIVERY_TONES: Readonly<Record<Delivery["state"], Tone>> = {
  pending: "busy",
  delivered: "good",
  failed: "bad",
};

/** How a webhook is, in one or two words. */
export function healthOf(webhook: Webhook): { tone: Tone; text: string } {
  if (webhook.disabled_cause === "by_hand") return { tone: "neutral", text: "Disabled" };
  if (webhook.disabled_cause === "gone") return { tone: "bad", text: "Disabled: answered 410" };
  if (webhook.disabled_cause === "failing") {
    return { tone: "bad", text: "Disabled: failed for a day" };
  }
  if (webhook.failing_since != null) return { tone: "busy", text: "Failing" };
  return { tone: "good", text: "Active" };
}

/** The types of a text field: separated by commas, spaces or lines. */
export function toTypes(text: string): string[] {
  return text.split(/[\s,]+/).filter((type) => type !== "");
}

export function useWebhooks(account: string) {
  return usePages(
    ["webhooks", account],
    (cursor) =>
      answer(
        api.GET("/v1/accounts/{account}/webhooks", {
          params: { path: { account }, query: { limit: 100, cursor } },
        }),
      ),
    { all: true, refetchInterval: 10_000 },
  );
}

export function useWebhook(account: string, webhook: string) {
  return useQuery({
    queryKey: ["webhooks", account, webhook],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/webhooks/{webhook}", {
          params: { path: { account, webhook } },
        }),
      ),
    refetchInterval: 5_000,
  });
}

export function useDeliveries(account: string, webhook: string, state: Delivery["state"] | "") {
  return usePages(
    ["webhooks", account, webhook, "deliveries", state],
    (cursor) =>
      answer(
        api.GET("/v1/accounts/{account}/webhooks/{webhook}/deliveries", {
          params: {
            path: { account, webhook },
            query: { limit: 50, cursor, ...(state === "" ? {} : { state }) },
          },
        }),
      ),
    { refetchInterval: 5_000 },
  );
}

export function useDelivery(account: string, webhook: string, delivery: string) {
  return useQuery({
    queryKey: ["webhooks", account, webhook, "delivery", delivery],
    queryFn: () =>
      answer(
        api.GET("/v1/accounts/{account}/webhooks/{webhook}/deliveries/{delivery}", {
          params: { path: { account, webhook, delivery } },
        }),
      ),
  });
}

/** A change of webhooks, after which they are read again. */
function useChange<Input, Output>(mutationFn: (input: Input) => Promise<Output>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn,
    onSuccess: () => queries.invalidateQueries({ queryKey: ["webhooks"] }),
  });
}

export function useCreateWebhook(account: string) {
  return useChange((body: WebhookInput) =>
    answer(api.POST("/v1/accounts/{account}/webhooks", { params: { path: { account } }, body })),
  );
}

export function useEnableWebhooks(account: string) {
  return useChange(() =>
    answer(
      api.POST("/v1/accounts/{account}/webhooks/enable", {
        params: { path: { account } },
        body: { webhooks: null },
      }),
    ),
  );
}

/** Null stays as it is. */
const UNCHANGED: WebhookPatch = {
  url: null,
  event_types: null,
  description: null,
  include_descendants: null,
  status: null,
};

/** What can be done with one webhook. */
export function useWebhookActions(account: string, webhook: string) {
  const path = { account, webhook };
  return {
    change: useChange((change: Partial<WebhookPatch>) =>
      answer(
        api.PATCH("/v1/accounts/{account}/webhooks/{webhook}", {
          params: { path },
          body: { ...UNCHANGED, ...change },
        }),
      ),
    ),
    remove: useChange(() =>
      answer(api.DELETE("/v1/accounts/{account}/webhooks/{webhook}", { params: { path } })),
    ),
    rotate: useChange(() =>
      answer(
        api.POST("/v1/accounts/{account}/webhooks/{webhook}/rotate_secret", {
          params: { path },
          body: { overlap_h: null },
        }),
      ),
    ),
    test: useChange(() =>
      answer(api.POST("/v1/accounts/{account}/webhooks/{webhook}/test", { params: { path } })),
    ),
    replay: useChange((from: string) =>
      answer(
        api.POST("/v1/accounts/{account}/webhooks/{webhook}/replay", {
          params: { path },
          body: { from },
        }),
      ),
    ),
    replayOne: useChange((delivery: string) =>
      answer(
        api.POST("/v1/accounts/{account}/webhooks/{webhook}/deliveries/{delivery}/replay", {
          params: { path: { ...path, delivery } },
        }),
      ),
    ),
  };
}
