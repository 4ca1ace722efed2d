import { type ReactNode, useEffect } from "react";
import { Link } from "react-router";

interface PageProps {
  title: string;
  /** Stands beside the title, such as a badge. */
  aside?: ReactNode;
  actions?: ReactNode;
  back?: { to: string; label: string };
  children: ReactNode;
}

export function Page({ title, aside, actions, back, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Strowger`;
  }, [title]);
  return (
    <main className="page" id="content" tabIndex={-1}>
      <header className="page-head">
        <div className="page-title">
          {back && (
            <Link className="page-back" to={back.to}>
              ← {back.label}
            </Link>
          )}
          <h1>
            {title} {aside}
          </h1>
        </div>
        {actions}
      </header>
      {children}
    </main>
  );
}

interface PanelProps {
  title: string;
  actions?: ReactNode;
  children: ReactNode;
}

export function Panel({ title, actions, children }: PanelProps) {
  return (
    <section className="panel" aria-label={title}>
      <div className="panel-head">
        <h2>{title}</h2>
        {actions}
      </div>
      <div className="panel-body">{children}</div>
    </section>
  );
}

/** Pairs of name and value; a pair without a value is left out. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className="facts">
      {facts
        .filter(([, value]) => value !== null && value !== undefined && value !== "")
        .map(([name, value]) => (
          <FactRow key={name} name={name} value={value} />
        ))}
    </dl>
  );
}

function FactRow({ name, value }: { name: string; value: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
