using System.Security.Claims;
using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Projections.Accounts;
using Microsoft.AspNetCore.Authentication;

namespace Ledger.Api.Dashboard;

/// <summary>
/// Lets people in to pages: by the session's cookie alone, never by a token in a header. Whether the sign-in still holds, the account's own state says at
/// every page, so that a suspension or a new password ends what is open elsewhere.
/// </summary>
public sealed class PageDoor(LedgerService ledger, People people, Regions regions, RateGates gates, PageRenderer pages, TimeProvider time)
{
    private static readonly ClaimsPrincipal Nobody = new(new ClaimsIdentity());

    /// <summary>Anybody.</summary>
    public async Task<GuestVisit?> GreetAsync(HttpContext context)
    {
        var signIn = await SignInOfAsync(context);
        var isSignedIn = signIn is not null && await RefusalOfAsync(signIn) is null;
        if (!isSignedIn)
            context.User = Nobody;
        return new(context, LedgerTime.Now(time), isSignedIn);
    }

    /// <summary>Whoever is signed in; others are answered: with the sign-in page, or with why they stay out.</summary>
    public async Task<CustomerVisit?> EnterAsync(HttpContext context)
    {
        if (await SignInOfAsync(context) is not { } signIn)
        {
            SendToSignIn(context);
            return null;
        }

        if (regions.IsBlocked(signIn.Country))
        {
            await pages.SendFaultAsync(context, 403, "Not available", "This service is not available in your country.");
            return null;
        }

        var passage = gates.Count(RateBucket.Management, signIn.Account.Value);
        if (!passage.MayPass)
        {
            await pages.SendFaultAsync(context, 429, "Too many requests", "Wait a minute, then try again.");
            return null;
        }

        var (account, book) = await ledger.ReadAsync(signIn.Account);
        var now = LedgerTime.Later(time, account.LastAt);
        switch (account.RefusesAccess(signIn.Credential, now))
        {
            case null:
                var person = await people.FindAsync(account.Id, context.RequestAborted);
                return new(context, account.LapsedAt(now), signIn, book, person?.Email, now, ledger, regions.AddressOf(context));
            case RejectionCode.AccountSuspended:
                // No page would open any more, so there is nothing to be signed in for: whoever has another account can come in by that.
                await context.SignOutAsync(Doorkeeper.Session);
                await pages.SendFaultAsync(
                    context,
                    403,
                    "Your account is suspended",
                    "Nothing can be spent or changed until it is reinstated. Ask the operator why.",
                    "/sign-in",
                    "To sign-in"
                );
                return null;
            default:
                await context.SignOutAsync(Doorkeeper.Session);
                SendToSignIn(context);
                return null;
        }
    }

    private static async Task<SignIn?> SignInOfAsync(HttpContext context)
    {
        context.User = Nobody;
        if (!context.Request.Cookies.ContainsKey(Doorkeeper.Session))
            return null;
        var ticket = await context.AuthenticateAsync(Doorkeeper.Session);
        if (!ticket.Succeeded || Sessions.Read(ticket.Principal) is not { } signIn)
            return null;
        context.User = ticket.Principal;
        return signIn;
    }

    private async Task<RejectionCode?> RefusalOfAsync(SignIn signIn)
    {
        var (account, _) = await ledger.ReadAsync(signIn.Account);
        return account.RefusesAccess(signIn.Credential, LedgerTime.Later(time, account.LastAt));
    }

    private static void SendToSignIn(HttpContext context)
    {
        // What was about to be sent is lost anyhow; a page is come back to.
        var next = HttpMethods.IsGet(context.Request.Method) ? context.Request.Path + context.Request.QueryString : "/";
        PageRenderer.Redirect(context, next == "/" ? "/sign-in" : "/sign-in?next=" + Uri.EscapeDataString(next));
    }
}
