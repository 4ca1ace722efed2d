import { useState } from "react";
import { Link, Navigate, useLocation } from "react-router";
import { Brand } from "../../api/branding";
import { RefusedTokens, session } from "../../api/session";
import { useSessionState } from "../../api/session_state";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Refusal } from "../../ui/notice";

export function SignInPage() {
  const state = useSessionState();
  const location = useLocation();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [asksForCode, setAsksForCode] = useState(false);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  if (state === "signed_in") return <Navigate to={cameFrom(location.state)} replace />;

  const signIn = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      await session.signIn(email.trim(), password, asksForCode ? code.trim() : undefined);
    } catch (error) {
      if (error instanceof RefusedTokens && error.code === "mfa_required") setAsksForCode(true);
      setProblem(error instanceof Error ? error.message : "Something unexpected happened.");
    } finally {
      setBusy(false);
    }
  };

  const notice = problem ?? session.notice();
  return (
    <main className="sign-in">
      <title>Sign in · Strowger</title>
      <form
        className="sign-in-card"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) void signIn();
        }}
      >
        <p className="brand">
          <Brand size={28} />
        </p>
        <h1>Sign in</h1>
        {notice !== undefined && <Refusal title={notice} reasons={[]} />}
        <Field label="E-mail address">
          {(control) => (
            <input
              {...control}
              type="email"
              name="email"
              autoComplete="username"
              autoFocus
              required
              value={email}
              onChange={(event) => setEmail(event.target.value)}
            />
          )}
        </Field>
        <Field label="Password">
          {(control) => (
            <input
              {...control}
              type="password"
              name="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
          )}
        </Field>
        {asksForCode && (
          <Field label="Code" hint="Of your authenticator app, or a recovery code.">
            {(control) => (
              <input
                {...control}
                name="code"
                autoComplete="one-time-code"
                autoFocus
                required
                value={code}
                onChange={(event) => setCode(event.target.value)}
              />
            )}
          </Field>
        )}
        <Button type="submit" kind="primary" busy={busy}>
          {busy ? "Signing in…" : "Sign in"}
        </Button>
        <p>
          <Link to="/password">Forgotten your password?</Link>
        </p>
      </form>
    </main>
  );
}

/** The page that asked for the sign-in, or the home page. */
function cameFrom(state: unknown): string {
  if (typeof state === "object" && state !== null && "from" in state) {
    if (typeof state.from === "string") return state.from;
  }
  return "/";
}
