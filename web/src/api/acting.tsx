import { useQuery } from "@tanstack/react-query";
import { createContext, useContext } from "react";
import type { Account, Me } from "./types";
import { answer, api } from "./client";
import { readAll } from "./pages";

/** Who is signed in, and for which account the pages act: the own one or one below it. */
export interface Acting {
  me: Me;
  account: Account;
}

export const ActingContext = createContext<Acting | undefined>(undefined);

export function useActing(): Acting {
  const acting = useContext(ActingContext);
  if (acting === undefined) throw new Error("useActing needs the shell around it");
  return acting;
}

/**
 * A column that names whose a row is, when a list shows more than the acting account's own. To be
 * spread among the columns of a table.
 */
export function useOwner<Row extends { account: string }>(
  rows: readonly Row[] | undefined,
): { title: string; cell: (row: Row) => string }[] {
  const { account } = useActing();
  const accounts = useReachableAccounts();
  if (rows?.some((row) => row.account !== account.id) !== true) return [];
  const names = new Map(accounts.data?.map(({ id, name }) => [id, name]));
  return [{ title: "Account", cell: (row) => names.get(row.account) ?? "" }];
}

export function useMe() {
  return useQuery({
    queryKey: ["me"],
    queryFn: () => answer(api.GET("/v1/me")),
    staleTime: 60_000,
  });
}

export function useAccount(account: string | undefined) {
  return useQuery({
    queryKey: ["account", account],
    queryFn: () =>
      answer(api.GET("/v1/accounts/{account}", { params: { path: { account: account ?? "" } } })),
    enabled: account !== undefined,
  });
}

/** The token's own account and all below it. */
export function useReachableAccounts() {
  return useQuery({
    queryKey: ["accounts"],
    queryFn: () =>
      readAll((cursor) =>
        answer(api.GET("/v1/accounts", { params: { query: { limit: 200, cursor } } })),
      ),
    staleTime: 30_000,
  });
}
