import { expect, expectAccessible, signIn, test } from "./fixtures";

test("user_signs_in_and_sees_the_home_of_the_account", async ({ page, demo, api }) => {
  const account = await api.account(demo.owner);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await expectAccessible(page);
  await signIn(page, demo.owner);
  await expect(page.getByRole("heading", { name: account.name, level: 1 })).toBeVisible();
  await expect(page.getByRole("link", { name: /^Live calls/ }).first()).toBeVisible();
  await expectAccessible(page);
});

test("wrong_password_is_told_in_plain_words", async ({ page, demo }) => {
  await page.goto("/");
  await page.getByLabel("E-mail address").fill(demo.owner.email);
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toContainText("password is wrong");
  await expect(page.getByLabel("E-mail address")).toHaveValue(demo.owner.email);
});

test("disabled_account_is_told_in_plain_words", async ({ page, demo, api }) => {
  const [top] = demo.users;
  if (top === undefined || demo.users.length < 2) throw new Error("the demonstration has a tree");
  const account = await api.account(demo.owner);
  await api.patch(top, `/v1/accounts/${account.id}`, { status: "disabled" });
  try {
    await page.goto("/");
    await page.getByLabel("E-mail address").fill(demo.owner.email);
    await page.getByLabel("Password").fill(demo.owner.password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect(page.getByRole("alert")).toContainText("disabled");
  } finally {
    await api.patch(top, `/v1/accounts/${account.id}`, { status: "active" });
  }
});

test("sign_in_survives_a_reload_and_ends_with_sign_out", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  await page.reload();
  await expect(page.getByRole("navigation", { name: "Pages" })).toBeVisible();
  await page.getByRole("button", { name: demo.owner.email }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("address_of_a_page_leads_there_after_signing_in", async ({ page, demo, api }) => {
  const account = await api.account(demo.owner);
  await page.goto(`/accounts/${account.id}/numbers?status=active`);
  await page.getByLabel("E-mail address").fill(demo.owner.email);
  await page.getByLabel("Password").fill(demo.owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("heading", { name: "Numbers" })).toBeVisible();
  await expect(page.getByLabel("Status")).toHaveValue("active");
});

test("token_that_ran_out_is_renewed_without_a_word", async ({ page, demo }) => {
  await signIn(page, demo.owner);
  // The first answer of the next page is what an old token gets.
  let refused = 0;
  await page.route("**/v1/accounts/*/numbers*", async (route) => {
    if (refused++ > 0) return route.continue();
    return route.fulfill({
      status: 401,
      contentType: "application/problem+json",
      body: JSON.stringify({
        type: "urn:x",
        title: "The token's time is over.",
        status: 401,
      }),
    });
  });
  await page.getByRole("navigation").getByRole("link", { name: "Numbers", exact: true }).click();
  await expect(page.getByRole("table", { name: "Numbers" })).toBeVisible();
  await expect(page.getByRole("alert")).toHaveCount(0);
});
