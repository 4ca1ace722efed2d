import type { Account, AccountKind } from "../../api/types";
import { kindsBelow, toTree } from "./accounts";

const account = (id: string, parent: string | null, name: string) =>
  ({ id, parent, name, reference: null }) as unknown as Account;

const ACCOUNTS = [
  account("r", null, "Reseller"),
  account("z", "r", "Zebra"),
  account("a", "r", "Alpha"),
  account("z1", "z", "Zebra North"),
  account("z2", "z", "Zebra South"),
];

function check(closed: string[], sought: string, expected: string[]) {
  const tree = toTree(ACCOUNTS, "r", new Set(closed), sought);
  expect(tree.map(({ account: { id }, depth }) => `${depth} ${id}`)).toEqual(expected);
}

test("children_follow_their_parent_by_name", () =>
  check([], "", ["0 r", "1 a", "1 z", "2 z1", "2 z2"]));

test("closed_account_hides_what_is_below_it", () => check(["z"], "", ["0 r", "1 a", "1 z"]));

test("search_shows_matches_and_the_way_to_them", () =>
  check(["z"], "south", ["0 r", "1 z", "2 z2"]));

test("account_that_is_no_root_of_the_list_begins_its_own_tree", () => {
  expect(toTree(ACCOUNTS, "z", new Set(), "").map(({ depth }) => depth)).toEqual([0, 1, 1]);
});

test("customer_has_sub_accounts_only_where_it_is_permitted", () => {
  const kinds = (kind: AccountKind, sub_accounts: boolean) =>
    kindsBelow({ kind, permissions: { sub_accounts } as Account["permissions"] });
  expect(kinds("reseller", false)).toEqual(["sub_reseller", "customer"]);
  expect(kinds("customer", true)).toEqual(["customer"]);
  expect(kinds("customer", false)).toEqual([]);
});
