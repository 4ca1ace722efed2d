import { type ReactNode, useEffect, useId, useRef } from "react";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  actions: ReactNode;
  /** Makes the dialog a form: its submit button stands among the actions. */
  onSubmit?: (form: HTMLFormElement) => void;
}

/** A modal dialog; mount it to open it. Escape closes, focus returns to where it was. */
export function Dialog({ title, onClose, children, actions, onSubmit }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  useEffect(() => {
    const before = document.activeElement;
    const element = dialog.current;
    element?.showModal();
    return () => {
      element?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      className="dialog"
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          onSubmit?.(event.currentTarget);
        }}
      >
        <div className="dialog-body">
          <h2 id={titleId}>{title}</h2>
          {children}
        </div>
        <div className="dialog-actions">{actions}</div>
      </form>
    </dialog>
  );
}
