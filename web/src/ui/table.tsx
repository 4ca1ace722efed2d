import type { ReactNode } from "react";
import { Button } from "./button";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  /** Numbers and actions stand at the end; `tight` columns take no more room than they need. */
  align?: "end";
  tight?: boolean;
  /** Running text, which may take more than one line. */
  wraps?: boolean;
  /** The title is for screen readers only. */
  hideTitle?: boolean;
}

interface TableProps<Row> {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
}

export function Table<Row>({ label, columns, rows, rowKey }: TableProps<Row>) {
  return (
    <div className="table-frame" tabIndex={0} role="region" aria-label={label}>
      <table className="table" aria-label={label}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.title} scope="col" className={classOf(column)}>
                {column.hideTitle === true ? (
                  <span className="visually-hidden">{column.title}</span>
                ) : (
                  column.title
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={rowKey(row)}>
              {columns.map((column) => (
                <td key={column.title} className={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function classOf<Row>({ align, tight, wraps }: Column<Row>): string {
  const names = [align ?? "", tight === true ? "tight" : "", wraps === true ? "wraps" : ""];
  return names.join(" ").trim();
}

interface TableFootProps {
  shown: number;
  noun: string;
  hasMore: boolean;
  isLoadingMore: boolean;
  onMore: () => void;
}

/** How many rows are shown, and the way to more of them. */
export function TableFoot({ shown, noun, hasMore, isLoadingMore, onMore }: TableFootProps) {
  return (
    <div className="table-foot">
      <span role="status">
        {shown} {shown === 1 ? noun : `${noun}s`}
        {hasMore && " so far"}
      </span>
      {hasMore && (
        <Button onClick={onMore} busy={isLoadingMore}>
          {isLoadingMore ? "Loading…" : "Show more"}
        </Button>
      )}
    </div>
  );
}
