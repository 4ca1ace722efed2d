import { useState } from "react";
import { Link, useParams } from "react-router";
import { useAccount, useActing, useReachableAccounts } from "../../api/acting";
import type { Account } from "../../api/types";
import { formatDateTime } from "../../lib/format";
import { words } from "../../lib/words";
import { Badge } from "../../ui/badge";
import { Button, ButtonLink } from "../../ui/button";
import { Failure, Loading } from "../../ui/notice";
import { Facts, Page, Panel } from "../../ui/page";
import { AccountEdit } from "./account_edit";
import { AccountEnd } from "./account_end";
import { AccountForm } from "./account_form";
import { kindsBelow, useLimits } from "./accounts";
import { BrandingForm } from "./branding_form";

export function AccountPage() {
  const { account: acting } = useActing();
  const { selected } = useParams();
  const account = useAccount(selected);
  const back = { to: `/accounts/${acting.id}/tree`, label: "Accounts" };
  if (account.data) return <Detail key={account.data.id} account={account.data} back={back} />;
  return (
    <Page title="Account" back={back}>
      {account.error ? (
        <Failure
          title="The account could not be loaded"
          error={account.error}
          onRetry={() => void account.refetch()}
        />
      ) : (
        <Loading label="Loading the account" />
      )}
    </Page>
  );
}

function Detail({ account, back }: { account: Account; back: { to: string; label: string } }) {
  const { account: acting } = useActing();
  const accounts = useReachableAccounts();
  const [open, setOpen] = useState<"child" | "edit" | "branding">();
  const children = accounts.data?.filter(({ parent }) => parent === account.id) ?? [];
  const parent = accounts.data?.find(({ id }) => id === account.parent);
  const limits = useLimits(account.id);
  const flags = Object.entries(account.permissions).filter(
    (entry): entry is [string, boolean] => typeof entry[1] === "boolean",
  );
  const { custom_cli_agreement, destination_classes, countries, node_types } = account.permissions;
  const isClosed = account.status === "closed";

  return (
    <Page
      title={account.name}
      aside={
        <Badge tone={account.status === "active" ? "good" : "bad"}>{words(account.status)}</Badge>
      }
      back={back}
      actions={
        <>
          {!isClosed && <Button onClick={() => setOpen("branding")}>Branding</Button>}
          {!isClosed && <Button onClick={() => setOpen("edit")}>Edit</Button>}
          {!isClosed && kindsBelow(account).length > 0 && (
            <Button onClick={() => setOpen("child")}>New account below</Button>
          )}
          {account.id !== acting.id && (
            <ButtonLink kind="primary" to={`/accounts/${account.id}`}>
              Enter this account
            </ButtonLink>
          )}
        </>
      }
    >
      <div className="columns">
        <Panel title="Account">
          <Facts
            facts={[
              ["Kind", words(account.kind)],
              ["Above it", parent && <Link to={`../tree/${parent.id}`}>{parent.name}</Link>],
              ["Account number", account.reference],
              [
                "Contact",
                [account.contact.name, account.contact.phone, account.contact.email]
                  .filter((part) => part != null)
                  .join(", ") || undefined,
              ],
              ["Time zone", account.time_zone],
              ["Created", formatDateTime(account.created_at, acting.time_zone)],
              ["Id", <span className="mono">{account.id}</span>],
            ]}
          />
        </Panel>
        <Panel title="Limits">
          <Facts
            facts={(limits.data?.limits ?? []).map((row) => [
              words(row.limit),
              `${row.used == null ? "" : `${row.used} of `}${row.own ?? "no limit of its own"}${
                row.bound_above || (row.bound_by != null && row.bound_by !== account.id)
                  ? ", bound by an account above"
                  : ""
              }`,
            ])}
          />
        </Panel>
        <Panel title="Permissions">
          <Facts
            facts={[
              ...flags.map(
                ([name, allowed]) =>
                  [
                    words(name),
                    <Badge tone={allowed ? "good" : "neutral"}>
                      {allowed ? "Allowed" : "Not allowed"}
                    </Badge>,
                  ] as const,
              ),
              [
                "Agreement",
                custom_cli_agreement &&
                  `${custom_cli_agreement.document}, ${custom_cli_agreement.signed_on}`,
              ],
              ["Destinations", destination_classes.map(words).join(", ") || "None"],
              ["Countries", countries?.join(", ") ?? "All of the account above"],
              ["Node types", node_types?.map(words).join(", ") ?? "All of the account above"],
            ]}
          />
        </Panel>
        <Panel title="Accounts below">
          {children.length === 0 ? (
            <p className="quiet">There are no accounts below this one yet.</p>
          ) : (
            <ul>
              {children.map((child) => (
                <li key={child.id}>
                  <Link to={`../tree/${child.id}`}>{child.name}</Link>{" "}
                  <span className="quiet">{words(child.kind)}</span>
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel title="Export and end">
          <AccountEnd account={account} />
        </Panel>
      </div>
      {open === "child" && <AccountForm parent={account} onClose={() => setOpen(undefined)} />}
      {open === "edit" && <AccountEdit account={account} onClose={() => setOpen(undefined)} />}
      {open === "branding" && <BrandingForm account={account} onClose={() => setOpen(undefined)} />}
    </Page>
  );
}
