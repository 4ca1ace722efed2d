import { useActing } from "../../api/acting";
import { partiesOf } from "../../api/parties";
import type { Call } from "../../api/types";
import { formatNumber } from "../../lib/format";
import { Button } from "../../ui/button";
import { useToast } from "../../ui/toast";
import { useHangUp } from "./calls";

export function HangUpButton({ call }: { call: Call }) {
  const { account } = useActing();
  const hangUp = useHangUp(account.id);
  const { from, to } = partiesOf(call);
  const toast = useToast();
  return (
    <Button
      kind="danger"
      busy={hangUp.isPending}
      aria-label={`Hang up the call of ${formatNumber(from)} to ${formatNumber(to)}`}
      onClick={() =>
        hangUp.mutate(call.id, {
          onError: (error) => toast(`The call was not hung up. ${error.message}`, "bad"),
        })
      }
    >
      {hangUp.isPending ? "Hanging up…" : "Hang up"}
    </Button>
  );
}
