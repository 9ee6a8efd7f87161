using Ledger.Api.Application;
using Ledger.Api.Dashboard.Access;
using Ledger.Api.Hosting;
using Ledger.Api.Payments;

namespace Ledger.Api.Dashboard.Operator;

/// <summary>The operator signs in and out, and sees first how the server is.</summary>
internal sealed class OperatorPages(OperatorDoor door, LedgerService ledger, Readiness readiness, PaymentDesk payments)
{
    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<GuestVisit> guests, PageRoutes<OperatorVisit> operators)
    {
        var pages = ActivatorUtilities.CreateInstance<OperatorPages>(services);
        guests.Page("/operator/sign-in", visit => Task.FromResult(Greet(visit)));
        guests.Form("/operator/sign-in", pages.SignInAsync);
        operators.Form("/operator/sign-out", pages.SignOutAsync);
        operators.Form("/operator/theme", SignInPages.KeepTheme);
        operators.Page("/operator", pages.ShowHomeAsync);
        AccountPages.Map(services, operators);
        HistoryPages.Map(services, operators);
        RateCardPages.Map(services, operators);
        DeliveryPages.Map(services, operators);
        AuditPages.Map(services, operators);
    }

    private static PageAnswer Greet(GuestVisit visit)
    {
        var next = NextOf(visit.Query("next"));
        return visit.IsSignedIn ? PageAnswer.SeeOther(next) : Show(new(FormPost.Blank, next), 200);
    }

    private Task<PageAnswer> SignInAsync(GuestVisit visit, FormPost form)
    {
        var next = NextOf(form.Value("next"));
        var key = form.Secret("key", 1000);
        if (!form.IsValid)
            return Task.FromResult(Show(new(form, next), 400));
        var (isIn, passage) = door.TryKey(visit.Context, key!.Trim());
        return Task.FromResult(
            isIn ? PageAnswer.SeeOther(next)
            : passage.MayPass ? Show(new(form, next, "This is not the operator's key."), 401)
            : Show(new(form, next, "Too many attempts from here. Wait a minute."), 429)
        );
    }

    private async Task<PageAnswer> SignOutAsync(OperatorVisit visit, FormPost form)
    {
        await door.LeaveAsync(visit.Context);
        return PageAnswer.SeeOther("/operator/sign-in");
    }

    private async Task<PageAnswer> ShowHomeAsync(OperatorVisit visit)
    {
        var card = ledger.Book.InForce(visit.Now);
        return PageAnswer.Show<OperatorHomePage, OperatorHomeModel>(
            "Overview",
            new(card?.Version, card?.EffectiveAt, ledger.IsRunning, await readiness.CheckAsync(visit.Gone), payments.Provider.Name)
        );
    }

    private static PageAnswer Show(OperatorSignInModel model, int status) =>
        PageAnswer.Show<OperatorSignInPage, OperatorSignInModel>("Operator", model, status);

    private static string NextOf(string? next) =>
        LocalPaths.Of(next, "/operator") is var path && path.StartsWith("/operator", StringComparison.Ordinal) ? path : "/operator";
}
