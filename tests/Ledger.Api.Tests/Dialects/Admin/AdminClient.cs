using Ledger.Testing;

namespace Ledger.Api.Tests.Dialects.Admin;

/// <summary>The operator, who asks.</summary>
internal static class AdminClient
{
    public static Task<Answer> AdminGetAsync(this LedgerClient app, string path) => app.GetAsync("/admin" + path, LedgerApp.AdminKey);

    public static Task<Answer> AdminPostAsync(this LedgerClient app, string path, object body) =>
        app.PostAsync("/admin" + path, LedgerApp.AdminKey, body);

    public static Task<Answer> AdminPutAsync(this LedgerClient app, string path, object body) =>
        app.PutAsync("/admin" + path, LedgerApp.AdminKey, body);

    public static Task<Answer> AdminDeleteAsync(this LedgerClient app, string path) => app.DeleteAsync("/admin" + path, LedgerApp.AdminKey);

    /// <summary>Opens an account as the operator would.</summary>
    public static async Task<string> AdminOpenAsync(this LedgerClient app, string email) =>
        (await app.AdminPostAsync("/accounts", new { email })).ShouldBe(201).Text("account_id")!;

    /// <summary>A refusal of the operator's API: the status, the code, a message, a request id; and no client repeats it by itself.</summary>
    public static Answer ShouldBeRefusedWith(this Answer answer, int status, string code)
    {
        answer.ShouldBe(status);
        answer.Text("error", "code").ShouldBe(code, answer.ToString());
        answer.Text("error", "message").ShouldNotBeNullOrWhiteSpace(answer.ToString());
        answer.Header("x-request-id").ShouldNotBeNullOrWhiteSpace(answer.ToString());
        answer.ShouldHave("x-should-retry", "false");
        return answer;
    }

    /// <summary>A refusal of bad input that names exactly these members.</summary>
    public static Answer ShouldFault(this Answer answer, params string[] fields)
    {
        answer.ShouldBeRefusedWith(400, "invalid_request");
        answer
            .Json.GetProperty("error")
            .GetProperty("fields")
            .EnumerateObject()
            .Select(field => field.Name)
            .ShouldBe(fields, ignoreOrder: true, answer.ToString());
        return answer;
    }
}
