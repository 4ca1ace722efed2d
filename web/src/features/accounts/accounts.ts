import { useMutation, useQueryClient } from "@tanstack/react-query";
import { answer, api } from "../../api/client";
import type { Account, AccountKind, NewAccount } from "../../api/types";

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
