import { Link, NavLink, Outlet, useParams } from "react-router";
import { ActingContext, useAccount, useMe } from "../api/acting";
import { Brand } from "../api/branding";
import { LiveProvider, useLiveState } from "../api/live_context";
import type { Account, Me } from "../api/types";
import { useSessionState } from "../api/session_state";
import { AccountSwitcher } from "../features/session/account_switcher";
import { UserMenu } from "../features/session/user_menu";
import { Badge } from "../ui/badge";
import { ButtonLink } from "../ui/button";
import { Failure, Loading } from "../ui/notice";
import { Page } from "../ui/page";
import { ToSignIn } from "./outcomes";

const PAGES = [
  { to: "", label: "Home" },
  { to: "calls", label: "Live calls" },
  { to: "scheduled-calls", label: "Scheduled calls" },
  { to: "records", label: "Call records" },
  { to: "numbers", label: "Numbers" },
  { to: "tree", label: "Accounts" },
  { to: "webhooks", label: "Webhooks" },
  { to: "events", label: "Events" },
  { to: "audit-log", label: "Audit log" },
] as const;

/** What stands around every page: where you are, for whom you act, and the way elsewhere. */
export function Shell() {
  const state = useSessionState();
  return state === "signed_in" ? <SignedIn /> : <ToSignIn />;
}

function SignedIn() {
  const { account: id } = useParams();
  const me = useMe();
  const account = useAccount(id);
  const error = me.error ?? account.error;
  if (error) {
    return (
      <Page title="Strowger">
        <Failure
          title="This account could not be opened"
          error={error}
          onRetry={() => {
            void me.refetch();
            void account.refetch();
          }}
        />
        <p>
          <ButtonLink to="/">Go to your own account</ButtonLink>
        </p>
      </Page>
    );
  }
  if (!me.data || !account.data) {
    return (
      <Page title="Strowger">
        <Loading label="Loading the account" />
      </Page>
    );
  }
  return <Frame me={me.data} account={account.data} />;
}

function Frame({ me, account }: { me: Me; account: Account }) {
  const isOther = account.id !== me.account.id;
  return (
    <ActingContext value={{ me, account }}>
      <LiveProvider key={account.id} account={account.id}>
        <a className="skip" href="#content">
          Skip to the page
        </a>
        <div className="shell">
          <header className="top">
            <Link className="brand" to={`/accounts/${account.id}`}>
              <Brand size={24} />
            </Link>
            <AccountSwitcher />
            <div className="top-end">
              <LiveBadge />
              <UserMenu />
            </div>
          </header>
          <nav className="side" aria-label="Pages">
            {PAGES.map(({ to, label }) => (
              <NavLink
                key={to}
                to={to === "" ? `/accounts/${account.id}` : `/accounts/${account.id}/${to}`}
                end={to === ""}
              >
                {label}
              </NavLink>
            ))}
          </nav>
          <div className="stage">
            {isOther && (
              <aside className="acting" aria-label="Acting for another account">
                <p>
                  You are acting within <strong>{account.name}</strong>, an account below your own.
                  What you change here is changed for them.
                </p>
                <Link to={`/accounts/${me.account.id}`}>Back to {me.account.name}</Link>
              </aside>
            )}
            <Outlet />
          </div>
        </div>
      </LiveProvider>
    </ActingContext>
  );
}

function LiveBadge() {
  const state = useLiveState();
  if (state === "live") {
    return (
      <span title="Pages follow what happens by themselves">
        <Badge tone="good" pulse>
          Live
        </Badge>
      </span>
    );
  }
  if (state === "connecting") return <Badge>Connecting…</Badge>;
  return (
    <span title="The event stream is down; pages ask again every few seconds">
      <Badge tone="busy">Delayed</Badge>
    </span>
  );
}
