using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.RateCards;

namespace Ledger.Api.Dashboard;

/// <summary>Somebody who came to a page.</summary>
/// <param name="context">The request.</param>
/// <param name="now">The time.</param>
public abstract class PageVisit(HttpContext context, DateTimeOffset now)
{
    /// <summary>The request.</summary>
    public HttpContext Context => context;

    /// <summary>The time by which everything on the page is so.</summary>
    public DateTimeOffset Now => now;

    /// <summary>Gives up when the browser has gone.</summary>
    public CancellationToken Gone => context.RequestAborted;

    /// <summary>Whose page it is.</summary>
    public abstract PageAudience Audience { get; }

    /// <summary>Who is signed in, in words; null for nobody.</summary>
    public virtual string? Who => null;

    /// <summary>A value of the path; empty where it has none.</summary>
    public string Route(string name) => context.Request.RouteValues[name] as string ?? "";

    /// <summary>The one value of the query; null where it has none, or several.</summary>
    public string? Query(string name) => context.Request.Query[name] is [{ Length: > 0 } value] ? value : null;
}

/// <summary>Somebody who need not be signed in.</summary>
/// <param name="context">The request.</param>
/// <param name="now">The time.</param>
/// <param name="isSignedIn">Whether they are.</param>
public sealed class GuestVisit(HttpContext context, DateTimeOffset now, bool isSignedIn) : PageVisit(context, now)
{
    /// <summary>Whether they are signed in all the same.</summary>
    public bool IsSignedIn => isSignedIn;

    /// <inheritdoc/>
    public override PageAudience Audience => PageAudience.Guest;
}

/// <summary>A signed-in account, as it is now. Which account that is, only the session says; nothing in an address does.</summary>
/// <param name="context">The request.</param>
/// <param name="account">The account, with what is due lapsed.</param>
/// <param name="signIn">The sign-in.</param>
/// <param name="book">The price list.</param>
/// <param name="email">The person's address; null where it was deleted.</param>
/// <param name="now">The time.</param>
/// <param name="ledger">Takes commands.</param>
/// <param name="address">From where the request comes.</param>
public sealed class CustomerVisit(
    HttpContext context,
    Account account,
    SignIn signIn,
    RateBook book,
    string? email,
    DateTimeOffset now,
    LedgerService ledger,
    string? address
) : PageVisit(context, now)
{
    /// <summary>The account, with what is due lapsed.</summary>
    public Account Account => account;

    /// <summary>The sign-in.</summary>
    public SignIn SignIn => signIn;

    /// <summary>The price list.</summary>
    public RateBook Book => book;

    /// <summary>The person's address; null where it was deleted.</summary>
    public string? Email => email;

    /// <inheritdoc/>
    public override PageAudience Audience => PageAudience.Customer;

    /// <inheritdoc/>
    public override string Who => email ?? account.Id.Value;

    /// <summary>On whose behalf commands come.</summary>
    public Caller Caller => new("account", Context.TraceIdentifier, address);

    /// <summary>Sends a command of this account, by the right of this sign-in.</summary>
    public Task<Verdict> ExecuteAsync(AccountCommand command)
    {
        ArgumentNullException.ThrowIfNull(command);
        return command.Account == account.Id
            ? ledger.ExecuteAsync(command with { By = signIn.Credential }, Caller)
            : throw new InvalidOperationException("A page commands only its own account.");
    }

    /// <summary>The account after a command.</summary>
    public async Task<Account> ReadAsync() => (await ledger.ReadAsync(account.Id)).Account.LapsedAt(Now);

    /// <summary>The id of what a form does: the same form sent twice does it once.</summary>
    public Guid RequestOf(FormPost form)
    {
        ArgumentNullException.ThrowIfNull(form);
        return EventIds.Request(account.Id, "form:" + form.Id);
    }
}

/// <summary>The operator.</summary>
/// <param name="context">The request.</param>
/// <param name="now">The time.</param>
/// <param name="address">From where the request comes.</param>
public sealed class OperatorVisit(HttpContext context, DateTimeOffset now, string? address) : PageVisit(context, now)
{
    /// <inheritdoc/>
    public override PageAudience Audience => PageAudience.Operator;

    /// <inheritdoc/>
    public override string Who => "Operator";

    /// <summary>On whose behalf commands come.</summary>
    public Caller Caller => new("operator", Context.TraceIdentifier, address);

    /// <summary>The id of what a form does to an account: the same form sent twice does it once.</summary>
    public static Guid RequestOf(AccountId account, FormPost form)
    {
        ArgumentNullException.ThrowIfNull(form);
        return EventIds.Request(account, "form:" + form.Id);
    }
}
