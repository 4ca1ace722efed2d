import { useActing } from "../../api/acting";
import { formatDateTime } from "../../lib/format";
import { words } from "../../lib/words";
import { Button } from "../../ui/button";
import { Dialog } from "../../ui/dialog";
import { Failure, Loading } from "../../ui/notice";
import { Facts } from "../../ui/page";
import { useDelivery } from "./webhooks";

interface DeliveryDialogProps {
  webhook: string;
  delivery: string;
  onClose: () => void;
}

/** What was sent, and what was answered. */
export function DeliveryDialog({ webhook, delivery, onClose }: DeliveryDialogProps) {
  const { account } = useActing();
  const { data, error } = useDelivery(account.id, webhook, delivery);
  const last = data?.last_attempt;
  return (
    <Dialog title="Delivery" onClose={onClose} actions={<Button onClick={onClose}>Close</Button>}>
      {error && <Failure title="The delivery could not be loaded" error={error} />}
      {!data && !error && <Loading label="Loading the delivery" />}
      {data && (
        <>
          <Facts
            facts={[
              ["Event", data.type],
              ["Identifier", <span className="mono">{data.event}</span>],
              ["State", words(data.state)],
              ["Attempts", String(data.attempts)],
              ["Last attempt", last && formatDateTime(last.at, account.time_zone)],
              ["Answer", last?.status],
              ["Took", last && `${last.latency_ms} ms`],
              ["Failure", last?.failure],
            ]}
          />
          <h3>Sent</h3>
          <pre className="mono code">{JSON.stringify(data.payload, null, 2)}</pre>
          {last?.response != null && last.response !== "" && (
            <>
              <h3>Answered</h3>
              <pre className="mono code">{last.response}</pre>
            </>
          )}
        </>
      )}
    </Dialog>
  );
}
