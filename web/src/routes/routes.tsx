import { createBrowserRouter } from "react-router";
import { AccountPage } from "../features/accounts/account_page";
import { AccountList } from "../features/accounts/account_list";
import { AuditLogPage } from "../features/audit_log/audit_log_page";
import { CallPage } from "../features/calls/call_page";
import { LiveCallList } from "../features/calls/live_call_list";
import { RecordList } from "../features/calls/record_list";
import { EventViewer } from "../features/events/event_viewer";
import { HomePage } from "../features/home/home_page";
import { NumberList } from "../features/numbers/number_list";
import { ScheduledCallForm } from "../features/scheduled_calls/scheduled_call_form";
import { ScheduledCallList } from "../features/scheduled_calls/scheduled_call_list";
import { ScheduledCallPage } from "../features/scheduled_calls/scheduled_call_page";
import { InvitationPage, PasswordPage } from "../features/session/link_pages";
import { ProfilePage } from "../features/session/profile_page";
import { SignInPage } from "../features/session/sign_in_page";
import { WebhookList } from "../features/webhooks/webhook_list";
import { WebhookPage } from "../features/webhooks/webhook_page";
import { NotFound, OwnAccount, RouteFailure } from "./outcomes";
import { Shell } from "./shell";

export const router = createBrowserRouter([
  {
    errorElement: <RouteFailure />,
    children: [
      { path: "/sign-in", element: <SignInPage /> },
      { path: "/password", element: <PasswordPage /> },
      { path: "/invitation", element: <InvitationPage /> },
      { path: "/", element: <OwnAccount /> },
      { path: "/profile", element: <ProfilePage /> },
      {
        path: "/accounts/:account",
        element: <Shell />,
        errorElement: <RouteFailure />,
        children: [
          { index: true, element: <HomePage /> },
          { path: "tree", element: <AccountList /> },
          { path: "tree/:selected", element: <AccountPage /> },
          { path: "numbers", element: <NumberList /> },
          { path: "scheduled-calls", element: <ScheduledCallList /> },
          { path: "scheduled-calls/new", element: <ScheduledCallForm /> },
          { path: "scheduled-calls/:scheduledCall", element: <ScheduledCallPage /> },
          { path: "calls", element: <LiveCallList /> },
          { path: "records", element: <RecordList /> },
          { path: "records/:call", element: <CallPage /> },
          { path: "webhooks", element: <WebhookList /> },
          { path: "webhooks/:webhook", element: <WebhookPage /> },
          { path: "events", element: <EventViewer /> },
          { path: "audit-log", element: <AuditLogPage /> },
          { path: "*", element: <NotFound /> },
        ],
      },
      { path: "*", element: <NotFound /> },
    ],
  },
]);
