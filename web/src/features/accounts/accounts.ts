import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { answer, api, sendFile } from "../../api/client";
import type {
  Account,
  AccountKind,
  AccountPatch,
  BrandingInput,
  NewAccount,
} from "../../api/types";

const KINDS: readonly AccountKind[] = [
  "carrier",
  "service_provider",
  "reseller",
  "sub_reseller",
  "customer",
];

/** The kinds of accounts that `parent` can have below it; a customer needs to be permitted any. */
export function kindsBelow({
  kind,
  permissions,
}: Pick<Account, "kind" | "permissions">): readonly AccountKind[] {
  const below = KINDS.slice(KINDS.indexOf(kind) + 1);
  return below.length > 0 || !permissions.sub_accounts ? below : ["customer"];
}

export interface Branch {
  account: Account;
  depth: number;
  hasChildren: boolean;
}

/**
 * The accounts from `root` downwards in the order of a tree, siblings by name. Accounts below a
 * closed one are left out; with `sought`, only the matches and what leads to them are in.
 */
export function toTree(
  accounts: readonly Account[],
  root: string,
  closed: ReadonlySet<string>,
  sought: string,
): Branch[] {
  const children = new Map<string, Account[]>();
  for (const account of accounts) {
    if (account.parent == null) continue;
    children.set(account.parent, [...(children.get(account.parent) ?? []), account]);
  }
  const words = sought.trim().toLowerCase();
  const matches = (account: Account) =>
    `${account.name} ${account.reference ?? ""}`.toLowerCase().includes(words);

  const walk = (account: Account, depth: number): Branch[] => {
    const below = (children.get(account.id) ?? [])
      .toSorted((one, other) => one.name.localeCompare(other.name))
      .flatMap((child) => walk(child, depth + 1));
    if (words !== "" && below.length === 0 && !matches(account)) return [];
    const isOpen = words !== "" || !closed.has(account.id);
    return [{ account, depth, hasChildren: children.has(account.id) }, ...(isOpen ? below : [])];
  };

  const top = accounts.find((account) => account.id === root);
  return top ? walk(top, 0) : [];
}

export function useCreateChild(parent: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: NewAccount) =>
      answer(
        api.POST("/v1/accounts/{account}/children", {
          params: { path: { account: parent } },
          body,
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["accounts"] }),
  });
}

/** What became of an account is seen in the tree and on its page. */
function useChanged(account: string) {
  const queries = useQueryClient();
  return async () => {
    await queries.invalidateQueries({ queryKey: ["accounts"] });
    await queries.invalidateQueries({ queryKey: ["account", account] });
    await queries.invalidateQueries({ queryKey: ["limits", account] });
  };
}

export function useChangeAccount(account: string) {
  return useMutation({
    mutationFn: (body: AccountPatch) =>
      answer(
        api.PATCH("/v1/accounts/{account}", {
          params: { path: { account } },
          // What is absent stays as it is (RFC 7396), which the description can't say.
          body: body as Required<AccountPatch>,
        }),
      ),
    onSuccess: useChanged(account),
  });
}

export function useCloseAccount(account: string) {
  return useMutation({
    mutationFn: () =>
      answer(api.POST("/v1/accounts/{account}/close", { params: { path: { account } } })),
    onSuccess: useChanged(account),
  });
}

export function useEraseAccount(account: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () =>
      answer(api.DELETE("/v1/accounts/{account}", { params: { path: { account } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["accounts"] }),
  });
}

export function useMoveAccount(account: string) {
  return useMutation({
    mutationFn: (parent: string) =>
      answer(
        api.POST("/v1/accounts/{account}/move", {
          params: { path: { account } },
          body: { parent },
        }),
      ),
    onSuccess: useChanged(account),
  });
}

export function useLimits(account: string) {
  return useQuery({
    queryKey: ["limits", account],
    queryFn: () =>
      answer(api.GET("/v1/accounts/{account}/limits", { params: { path: { account } } })),
  });
}

export function useBranding(account: string) {
  return useQuery({
    queryKey: ["branding", account],
    queryFn: () =>
      answer(api.GET("/v1/accounts/{account}/branding", { params: { path: { account } } })),
  });
}

/** Puts the branding, and the logo where there is a new one; `null` removes it. */
export function usePutBranding(account: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ branding, logo }: { branding: BrandingInput; logo?: File | null }) => {
      await answer(
        api.PUT("/v1/accounts/{account}/branding", {
          params: { path: { account } },
          body: branding,
        }),
      );
      if (logo !== undefined) await sendFile(`/v1/accounts/${account}/branding/logo`, logo);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ["branding", account] }),
  });
}
