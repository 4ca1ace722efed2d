import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { useToast } from "../../ui/toast";

/** Shows a secret: it cannot be had again. */
export function SecretDialog({ secret, onClose }: { secret: string; onClose: () => void }) {
  const toast = useToast();
  const copy = () => {
    navigator.clipboard.writeText(secret).then(
      () => toast("The secret is copied."),
      () => toast("The secret could not be copied: mark it and copy it yourself.", "bad"),
    );
  };
  return (
    <Dialog
      title="The signing secret"
      onClose={onClose}
      actions={
        <>
          <Button onClick={copy}>Copy</Button>
          <Button kind="primary" onClick={onClose}>
            I have kept it
          </Button>
        </>
      }
    >
      <p>Your address checks with it that an event comes from here. It is shown this once only.</p>
      <p className="mono">{secret}</p>
    </Dialog>
  );
}
