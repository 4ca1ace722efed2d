import { useMutation } from "@tanstack/react-query";
import { useEffect } from "react";
import { useActing } from "../../api/acting";
import { saveBlob } from "../../lib/csv";
import { formatBytes, formatDateTime, formatDuration } from "../../lib/format";
import { Button } from "../../ui/button";
import { Failure } from "../../ui/notice";
import { fetchAudio, useRecording } from "./calls";

/** A recording; its sound is fetched when somebody wants to hear it. */
export function RecordingPlayer({ recording }: { recording: string }) {
  const { account } = useActing();
  const facts = useRecording(account.id, recording);
  const sound = useMutation({
    mutationFn: async () => {
      const blob = await fetchAudio(account.id, recording);
      return { blob, address: URL.createObjectURL(blob) };
    },
  });
  const address = sound.data?.address;

  useEffect(() => {
    if (address === undefined) return;
    return () => URL.revokeObjectURL(address);
  }, [address]);

  const error = facts.error ?? sound.error;
  return (
    <div className="recording">
      {facts.data && (
        <span>
          {formatDateTime(facts.data.created_at, account.time_zone)}{" "}
          <span className="quiet">
            {formatDuration(facts.data.duration_ms)}, {formatBytes(facts.data.size_bytes)}
          </span>
        </span>
      )}
      {sound.data ? (
        <>
          <audio controls autoPlay src={sound.data.address} aria-label="Recording" />
          <Button onClick={() => saveBlob(`${recording}.wav`, sound.data.blob)}>Download</Button>
        </>
      ) : (
        <Button busy={sound.isPending} onClick={() => sound.mutate()}>
          {sound.isPending ? "Loading…" : "Play recording"}
        </Button>
      )}
      {error && (
        <Failure
          title="The recording could not be loaded"
          error={error}
          onRetry={() => {
            if (facts.error) void facts.refetch();
            else sound.mutate();
          }}
        />
      )}
    </div>
  );
}
