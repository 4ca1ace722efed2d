import type { ReactNode } from "react";
import { Button } from "./button";

interface FailureProps {
  /** What could not be done: "The numbers could not be loaded". */
  title: string;
  error: Error;
  onRetry?: () => void;
}

/** A part of a page that failed: what, why, and the way to try again. */
export function Failure({ title, error, onRetry }: FailureProps) {
  const requestId = "requestId" in error ? error.requestId : undefined;
  return (
    <div className="notice" data-tone="bad" role="alert">
      <div className="notice-text">
        <p className="notice-title">{title}</p>
        <p>{error.message}</p>
        {typeof requestId === "string" && <p className="quiet mono">Request {requestId}</p>}
      </div>
      {onRetry && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

/** The summary above a form that was refused. */
export function Refusal({ title, reasons }: { title: string; reasons: readonly string[] }) {
  return (
    <div className="notice" data-tone="bad" role="alert">
      <div className="notice-text">
        <p className="notice-title">{title}</p>
        {reasons.length > 0 && (
          <ul>
            {reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        )}
      </div>
    </div>
  );
}

/** A list without rows says what to do next. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="notice-title">{title}</p>
      {children}
    </div>
  );
}

const LINES = ["82%", "64%", "74%", "58%"];

export function Loading({ label }: { label: string }) {
  return (
    <div className="loading" role="status">
      <span className="visually-hidden">{label}</span>
      {LINES.map((width) => (
        <div key={width} className="loading-line" style={{ width }} />
      ))}
    </div>
  );
}
