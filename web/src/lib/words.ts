/** Words for what the server names by a code; a code that has none here is made readable. */
const WORDS: Readonly<Record<string, string>> = {
  // Classes of numbers
  uk_geographic: "UK geographic (01, 02)",
  uk_wide: "UK-wide (03)",
  uk_freephone: "UK freephone (080)",
  uk_special: "UK special rate (084, 087)",
  uk_mobile: "UK mobile (07)",
  uk_personal: "UK personal (070)",
  uk_premium: "UK premium (09)",
  // Causes
  normal_clearing: "Ended normally",
  user_busy: "Busy",
  no_user_responding: "No response",
  unallocated_number: "Number does not exist",
  call_rejected: "Rejected",
  no_circuit: "No line free",
  invalid_number_format: "Not a valid number",
  temporary_failure: "Temporary failure",
  // Nodes of a call plan
  ivr_menu: "IVR menu",
  dtmf_capture: "DTMF capture",
  // Origins
  outbound_service: "Outbound service",
  // Permissions
  custom_cli: "Own presentation number",
  withheld_cli: "Is shown withheld numbers",
  ftp: "Delivery by FTP",
  api_access: "API keys",
  sip_destinations: "SIP destinations",
  // Limits
  calls: "Calls at once",
  scheduled_in_progress: "Scheduled calls in progress",
  scheduled_queued: "Scheduled calls waiting",
  call_duration_s: "Longest call, in seconds",
  storage_bytes: "Storage, in bytes",
  requests_per_minute: "API requests a minute",
};

export function words(code: string): string {
  const known = WORDS[code];
  if (known !== undefined) return known;
  const text = code.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
