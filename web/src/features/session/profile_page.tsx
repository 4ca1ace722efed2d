import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { Navigate } from "react-router";
import { useMe } from "../../api/acting";
import { answer, api } from "../../api/client";
import { faultsByField } from "../../api/problem";
import { useSessionState } from "../../api/session_state";
import { formatDateTime } from "../../lib/format";
import { Badge } from "../../ui/badge";
import { Button } from "../../ui/button";
import { Field } from "../../ui/field";
import { Failure, Refusal } from "../../ui/notice";
import { Page, Panel } from "../../ui/page";
import { Table } from "../../ui/table";
import { useToast } from "../../ui/toast";

/** What everybody may change about themselves. It needs no permission, and stands alone. */
export function ProfilePage() {
  const state = useSessionState();
  const me = useMe();
  if (state === "signed_out")
    return <Navigate to="/sign-in" replace state={{ from: "/profile" }} />;
  const duties = me.data?.duties ?? [];
  return (
    <Page title="Password and sign-in" back={{ to: "/", label: "Back to your account" }}>
      {duties.includes("change_password") && (
        <Refusal title="Your password is too old. Choose a new one first." reasons={[]} />
      )}
      {duties.includes("enrol_mfa") && (
        <Refusal
          title="Your account requires an authenticator app. Set it up first."
          reasons={[]}
        />
      )}
      <PasswordPanel />
      <AppPanel />
      <SessionsPanel />
    </Page>
  );
}

function PasswordPanel() {
  const queries = useQueryClient();
  const toast = useToast();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/v1/auth/password", { body: { current_password: current, new_password: next } }),
      ),
    onSuccess: () => {
      setCurrent("");
      setNext("");
      toast("Your password is changed. Your other sign-ins have ended.");
      void queries.invalidateQueries();
    },
  });
  const { fields, others } = faultsByField(change.error, ["current_password", "new_password"]);
  return (
    <Panel title="Password">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!change.isPending) change.mutate();
        }}
      >
        {change.error && <Refusal title="The password was not changed" reasons={others} />}
        <Secret
          label="Current password"
          autoComplete="current-password"
          value={current}
          onChange={setCurrent}
          error={fields.current_password}
        />
        <Secret
          label="New password"
          autoComplete="new-password"
          value={next}
          onChange={setNext}
          error={fields.new_password}
        />
        <Button type="submit" kind="primary" busy={change.isPending}>
          Change password
        </Button>
      </form>
    </Panel>
  );
}

function AppPanel() {
  const queries = useQueryClient();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const stands = useQuery({ queryKey: ["mfa"], queryFn: () => answer(api.GET("/v1/auth/mfa")) });
  const enrol = useMutation({
    mutationFn: () => answer(api.POST("/v1/auth/mfa", { body: { current_password: password } })),
  });
  const confirm = useMutation({
    mutationFn: () => answer(api.POST("/v1/auth/mfa/confirm", { body: { code: code.trim() } })),
    onSuccess: () => {
      enrol.reset();
      setPassword("");
      setCode("");
      void queries.invalidateQueries();
    },
  });
  const remove = useMutation({
    mutationFn: () =>
      answer(
        api.POST("/v1/auth/mfa/remove", {
          body: { current_password: password, code: code.trim() },
        }),
      ),
    onSuccess: () => {
      confirm.reset();
      setPassword("");
      setCode("");
      void queries.invalidateQueries();
    },
  });
  const error = enrol.error ?? confirm.error ?? remove.error;
  const { fields, others } = faultsByField(error, ["current_password", "code"]);
  const enrolled = stands.data?.enrolled === true;
  const begun = enrol.data;
  const busy = enrol.isPending || confirm.isPending || remove.isPending;
  const act = () => (enrolled ? remove.mutate() : begun ? confirm.mutate() : enrol.mutate());
  return (
    <Panel
      title="Authenticator app"
      actions={<Badge tone={enrolled ? "good" : "neutral"}>{enrolled ? "On" : "Off"}</Badge>}
    >
      {stands.error && (
        <Failure
          title="It could not be loaded"
          error={stands.error}
          onRetry={() => void stands.refetch()}
        />
      )}
      {confirm.data && (
        <div role="status">
          <p>
            Keep these recovery codes where your telephone is not. Each opens the door once, and
            they are not shown again.
          </p>
          <ul className="mono">
            {confirm.data.recovery_codes.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
        </div>
      )}
      {enrolled && <p>{stands.data?.recovery_codes_left} recovery codes are left.</p>}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) act();
        }}
      >
        {error && <Refusal title="It was not changed" reasons={others} />}
        {!enrolled && begun && (
          <p>
            Add this key to your app: <strong className="mono">{begun.secret}</strong> (
            <a href={begun.otpauth_uri}>open in an app on this device</a>). Then write the code that
            it shows.
          </p>
        )}
        {(enrolled || !begun) && (
          <Secret
            label="Your password"
            autoComplete="current-password"
            value={password}
            onChange={setPassword}
            error={fields.current_password}
          />
        )}
        {(enrolled || begun) && (
          <Field label="Code" error={fields.code}>
            {(control) => (
              <input
                {...control}
                autoComplete="one-time-code"
                required
                value={code}
                onChange={(event) => setCode(event.target.value)}
              />
            )}
          </Field>
        )}
        <Button type="submit" kind={enrolled ? "danger" : "primary"} busy={busy}>
          {enrolled ? "Remove the app" : begun ? "Confirm" : "Set up an app"}
        </Button>
      </form>
    </Panel>
  );
}

function SessionsPanel() {
  const queries = useQueryClient();
  const me = useMe();
  const zone = me.data?.account.time_zone ?? "UTC";
  const sessions = useQuery({
    queryKey: ["sessions"],
    queryFn: () => answer(api.GET("/v1/auth/sessions", { params: { query: { limit: 200 } } })),
  });
  const end = useMutation({
    mutationFn: (session: string) =>
      answer(api.DELETE("/v1/auth/sessions/{session}", { params: { path: { session } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["sessions"] }),
  });
  const error = sessions.error ?? end.error;
  return (
    <Panel title="Where you are signed in">
      {error && (
        <Failure
          title="Your sign-ins could not be shown or changed"
          error={error}
          onRetry={() => void sessions.refetch()}
        />
      )}
      <Table
        label="Sign-ins"
        rows={sessions.data?.items ?? []}
        rowKey={({ id }) => id}
        columns={[
          { title: "From", cell: (one) => one.last_used_from ?? one.created_from ?? "" },
          { title: "Program", wraps: true, cell: (one) => one.user_agent ?? "" },
          {
            title: "Last used",
            cell: (one) => formatDateTime(one.last_used_at ?? one.created_at, zone),
          },
          {
            title: "End",
            hideTitle: true,
            tight: true,
            cell: (one) =>
              one.current ? (
                <Badge tone="good">This one</Badge>
              ) : (
                <Button kind="plain" onClick={() => end.mutate(one.id)}>
                  End
                </Button>
              ),
          },
        ]}
      />
    </Panel>
  );
}

interface SecretProps {
  label: string;
  autoComplete: "current-password" | "new-password";
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
}

function Secret({ label, autoComplete, value, onChange, error }: SecretProps) {
  return (
    <Field label={label} error={error}>
      {(control) => (
        <input
          {...control}
          type="password"
          autoComplete={autoComplete}
          required
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}
