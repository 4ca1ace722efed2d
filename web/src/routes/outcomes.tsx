import { Navigate, useLocation, useRouteError } from "react-router";
import { useMe } from "../api/acting";
import { session } from "../api/session";
import { useSessionState } from "../api/session_state";
import { ButtonLink } from "../ui/button";
import { Failure, Loading } from "../ui/notice";
import { Page } from "../ui/page";

/** `/` leads to the home of the user's own account. */
export function OwnAccount() {
  const state = useSessionState();
  if (state === "signed_out") return <Navigate to="/sign-in" replace />;
  return <ToOwnAccount />;
}

function ToOwnAccount() {
  const me = useMe();
  // Until they are done, every other page would be refused.
  if (me.data && me.data.duties.length > 0) return <Navigate to="/profile" replace />;
  if (me.data) return <Navigate to={`/accounts/${me.data.account.id}`} replace />;
  return (
    <Page title="Strowger">
      {me.error ? (
        <Failure
          title="You could not be signed in"
          error={me.error}
          onRetry={() => void me.refetch()}
        />
      ) : (
        <Loading label="Signing in" />
      )}
    </Page>
  );
}

export function ToSignIn() {
  const { pathname, search } = useLocation();
  const from = session.leftByChoice() ? "/" : pathname + search;
  return <Navigate to="/sign-in" replace state={{ from }} />;
}

export function NotFound() {
  return (
    <Page title="There is no such page">
      <p>The address may be mistyped, or what it named is gone.</p>
      <p>
        <ButtonLink to="/">Go to your home page</ButtonLink>
      </p>
    </Page>
  );
}

/** A page that broke; the fault is ours. */
export function RouteFailure() {
  const thrown = useRouteError();
  const error = thrown instanceof Error ? thrown : new Error("Something unexpected happened.");
  return (
    <Page title="This page failed">
      <Failure
        title="The page could not be shown"
        error={error}
        onRetry={() => window.location.reload()}
      />
      <p>
        <ButtonLink to="/">Go to your home page</ButtonLink>
      </p>
    </Page>
  );
}
