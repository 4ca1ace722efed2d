import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { createMemoryRouter, RouterProvider } from "react-router";
import { vi } from "vitest";
import { SignInPage } from "./sign_in_page";

const PROBLEM = {
  type: "urn:strowger:problem:wrong_credentials",
  title: "The e-mail address or the password is wrong.",
  code: "wrong_credentials",
  status: 401,
};

function show() {
  const routes = [
    { path: "/sign-in", element: <SignInPage /> },
    { path: "*", element: <p>Inside</p> },
  ];
  const initialEntries = [{ pathname: "/sign-in", state: { from: "/accounts/acc_1/numbers" } }];
  const router = createMemoryRouter(routes, { initialEntries });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return router;
}

async function signIn() {
  const user = userEvent.setup();
  await user.type(screen.getByLabelText("E-mail address"), "alice@example.com");
  await user.type(screen.getByLabelText("Password"), "secret{Enter}");
}

test("refusal_is_told_and_what_was_typed_stays", async () => {
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(PROBLEM, { status: 401 })));
  show();
  await signIn();
  expect(await screen.findByRole("alert")).toHaveTextContent("password is wrong");
  expect(screen.getByLabelText("E-mail address")).toHaveValue("alice@example.com");
});

test("sign_in_leads_to_the_page_that_asked_for_it", async () => {
  const tokens = { access_token: "a", token_type: "Bearer", refresh_token: "r", expires_in_s: 900 };
  vi.stubGlobal("fetch", () => Promise.resolve(Response.json(tokens)));
  const router = show();
  await signIn();
  expect(await screen.findByText("Inside")).toBeVisible();
  expect(router.state.location.pathname).toBe("/accounts/acc_1/numbers");
});

test("code_is_asked_for_when_the_server_asks_for_it", async () => {
  sessionStorage.clear();
  const needed = { ...PROBLEM, code: "mfa_required", title: "A code is needed." };
  const tokens = { access_token: "a", token_type: "Bearer", refresh_token: "r", expires_in_s: 900 };
  const sent: unknown[] = [];
  vi.stubGlobal("fetch", (_url: string, init: { body: string }) => {
    const body = JSON.parse(init.body) as Record<string, unknown>;
    sent.push(body["code"]);
    return Promise.resolve(
      body["code"] === undefined ? Response.json(needed, { status: 401 }) : Response.json(tokens),
    );
  });
  show();
  await signIn();
  await userEvent.setup().type(await screen.findByLabelText("Code"), "287082{Enter}");
  expect(await screen.findByText("Inside")).toBeVisible();
  expect(sent).toEqual([undefined, "287082"]);
});
