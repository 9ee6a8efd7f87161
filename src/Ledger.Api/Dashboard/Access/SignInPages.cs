using Ledger.Api.Access;
using Ledger.Api.Application;
using Ledger.Domain;
using Ledger.Domain.Accounts;

namespace Ledger.Api.Dashboard.Access;

/// <summary>Opening an account, signing in and out, and changing the password.</summary>
internal sealed class SignInPages(SignInDesk desk, Registrar registrar, AccountSecurity security, LedgerService ledger, Regions regions)
{
    private const string Wrong = "The address, the password or the code is wrong.";

    /// <summary>Maps the routes.</summary>
    public static void Map(IServiceProvider services, PageRoutes<GuestVisit> guests, PageRoutes<CustomerVisit> customers)
    {
        var pages = ActivatorUtilities.CreateInstance<SignInPages>(services);
        guests.Page("/sign-up", visit => Task.FromResult(Greet<SignUpPage>(visit, "Open an account")));
        guests.Form("/sign-up", pages.SignUpAsync);
        guests.Page("/sign-in", visit => Task.FromResult(Greet<SignInPage>(visit, "Sign in")));
        guests.Form("/sign-in", pages.SignInAsync);
        guests.Page("/sign-in/code", visit => Task.FromResult(Greet<CodeRequestPage>(visit, "Sign in with a code")));
        guests.Form("/sign-in/code", pages.RequestCodeAsync);
        guests.Form("/sign-in/code/verify", pages.SignInByCodeAsync);
        customers.Form("/sign-out", pages.SignOutAsync);
        customers.Page("/security", pages.ShowSecurityAsync);
        customers.Form("/security/password", pages.ChangePasswordAsync);
        customers.Form("/security/code", pages.SendCodeAsync);
        customers.Form("/security/sign-outs", pages.SignOutEverywhereAsync);
        customers.Form("/theme", KeepTheme);
    }

    /// <summary>Keeps the colours that were chosen, and goes back to where that was.</summary>
    public static Task<PageAnswer> KeepTheme<TVisit>(TVisit visit, FormPost form)
        where TVisit : PageVisit
    {
        Themes.Keep(visit.Context, form.Value("theme"));
        return Task.FromResult(
            PageAnswer.SeeOther(LocalPaths.Of(form.Value("back"), visit.Audience == PageAudience.Operator ? "/operator" : "/"))
        );
    }

    private static PageAnswer Greet<TView>(GuestVisit visit, string title)
        where TView : PageView<SignInModel>
    {
        var next = LocalPaths.Of(visit.Query("next"), "/");
        if (visit.IsSignedIn)
            return PageAnswer.SeeOther(next);
        var notice = visit.Query("done") switch
        {
            "signed-out" => "You are signed out.",
            "everywhere" => "You are signed out everywhere.",
            _ => null,
        };
        return Show<TView>(title, new(FormPost.Blank, next, Notice: notice), 200);
    }

    private async Task<PageAnswer> SignUpAsync(GuestVisit visit, FormPost form)
    {
        var email = Email(form);
        var password = form.Secret("password", Passwords.MaxLength);
        if (password?.Length < Passwords.MinLength)
            form.Fault("password", "At least 8 characters.");
        var country = form.Text("country", 2);
        if (country is not null && !Newcomers.IsCountry(country))
            form.Fault("country", "Two letters, such as DE.");
        var next = LocalPaths.Of(form.Value("next"), "/");
        if (!form.IsValid)
            return Again(null, 400);
        if (desk.MayCome(email, regions.AddressOf(visit.Context)) is { MayPass: false } passage)
            return Again(Wait(passage), 429);
        if (regions.IsBlocked(country))
            return Again("This service is not available in your country.", 403);

        var caller = new Caller("account", visit.Context.TraceIdentifier, regions.AddressOf(visit.Context));
        if (await registrar.OpenAsync(email, password, country?.ToUpperInvariant(), caller, visit.Gone) is not { } account)
        {
            form.Fault("email", "There is an account with this address already. Sign in instead.");
            return Again(null, 409);
        }

        await Sessions.OpenAsync(visit.Context, desk.Of((await ledger.ReadAsync(account)).Account, Sessions.Lifetime));
        return PageAnswer.SeeOther(next == "/" ? "/?done=opened" : next);

        PageAnswer Again(string? problem, int status) => Show<SignUpPage>("Open an account", new(form, next, problem), status);
    }

    private async Task<PageAnswer> SignInAsync(GuestVisit visit, FormPost form)
    {
        var (email, password) = (Email(form), form.Secret("password", Passwords.MaxLength));
        if (!form.IsValid)
            return Show<SignInPage>("Sign in", new(form, NextOf(form)), 400);
        return await AnswerAsync<SignInPage>(
            visit,
            form,
            "Sign in",
            await desk.ByPasswordAsync(email, password!, regions.AddressOf(visit.Context), Sessions.Lifetime, visit.Gone)
        );
    }

    private Task<PageAnswer> RequestCodeAsync(GuestVisit visit, FormPost form)
    {
        var email = Email(form);
        var next = NextOf(form);
        var answer =
            !form.IsValid ? Show<CodeRequestPage>("Sign in with a code", new(form, next), 400)
            : desk.RequestCode(email, regions.AddressOf(visit.Context)) is { MayPass: false } passage
                ? Show<CodeRequestPage>("Sign in with a code", new(form, next, Wait(passage)), 429)
            : Show<CodePage>("Type the code", new(form, next), 200);
        return Task.FromResult(answer);
    }

    private async Task<PageAnswer> SignInByCodeAsync(GuestVisit visit, FormPost form)
    {
        var (email, code) = (Email(form), Code(form));
        if (!form.IsValid)
            return Show<CodePage>("Type the code", new(form, NextOf(form)), 400);
        return await AnswerAsync<CodePage>(
            visit,
            form,
            "Type the code",
            await desk.ByCodeAsync(email, code, regions.AddressOf(visit.Context), Sessions.Lifetime, visit.Gone)
        );
    }

    private static async Task<PageAnswer> AnswerAsync<TView>(GuestVisit visit, FormPost form, string title, SignInAttempt attempt)
        where TView : PageView<SignInModel>
    {
        if (attempt is SignInAttempt.Done(var signIn))
        {
            await Sessions.OpenAsync(visit.Context, signIn);
            return PageAnswer.SeeOther(NextOf(form));
        }

        var (problem, status) = Explain(attempt);
        return Show<TView>(title, new(form, NextOf(form), problem), status);
    }

    private static (string Problem, int Status) Explain(SignInAttempt attempt) =>
        attempt switch
        {
            SignInAttempt.TooMany(var after) => (Wait(new(false, after)), 429),
            SignInAttempt.Refused(RejectionCode.AccountSuspended) => ("This account is suspended. Ask the operator why.", 403),
            SignInAttempt.RegionBlocked => ("This service is not available in your country.", 403),
            _ => (Wrong, 401),
        };

    private async Task<PageAnswer> SignOutAsync(CustomerVisit visit, FormPost form)
    {
        var signIn = visit.SignIn;
        await visit.ExecuteAsync(new SignOut(signIn.Account, signIn.Id, signIn.At, signIn.ExpiresAt));
        await Sessions.CloseAsync(visit.Context);
        return PageAnswer.SeeOther("/sign-in?done=signed-out");
    }

    private Task<PageAnswer> ShowSecurityAsync(CustomerVisit visit) =>
        SecurityAsync(
            visit,
            FormPost.Blank,
            200,
            visit.Query("done") switch
            {
                "password" => "The password is changed, and everybody else is signed out.",
                "code" => "A code is on its way to your address.",
                _ => null,
            }
        );

    private async Task<PageAnswer> ChangePasswordAsync(CustomerVisit visit, FormPost form)
    {
        var hasPassword = await security.HasPasswordAsync(visit);
        var current = hasPassword ? form.Secret("current", Passwords.MaxLength) : null;
        var code = hasPassword ? "" : Code(form);
        var password = form.Secret("password", Passwords.MaxLength);
        if (password?.Length < Passwords.MinLength)
            form.Fault("password", "At least 8 characters.");
        if (!form.IsValid)
            return await SecurityAsync(visit, form, 400);

        // As signing in is: attempts are limited, so that a session left open is no way to guess the password.
        var address = regions.AddressOf(visit.Context);
        var attempt = hasPassword
            ? await desk.ByPasswordAsync(visit.Email ?? "", current!, address, Sessions.Lifetime, visit.Gone)
            : await desk.ByCodeAsync(visit.Email ?? "", code, address, Sessions.Lifetime, visit.Gone);
        if (attempt is not SignInAttempt.Done(var proof) || proof.Account != visit.Account.Id)
        {
            var (problem, status) = Explain(attempt);
            form.Fault(hasPassword ? "current" : "code", problem == Wrong ? "That is not it." : problem);
            return await SecurityAsync(visit, form, status == 401 ? 400 : status);
        }

        await security.SetPasswordAsync(visit, password!, form);
        return PageAnswer.SeeOther("/security?done=password");
    }

    private async Task<PageAnswer> SendCodeAsync(CustomerVisit visit, FormPost form)
    {
        if (visit.Email is not { } email)
            return PageAnswer.NotFound;
        if (desk.RequestCode(email, regions.AddressOf(visit.Context)) is not { MayPass: false } passage)
            return PageAnswer.SeeOther("/security?done=code");
        form.Fault("code", Wait(passage));
        return await SecurityAsync(visit, form, 429);
    }

    private async Task<PageAnswer> SignOutEverywhereAsync(CustomerVisit visit, FormPost form)
    {
        await security.SignOutEverywhereAsync(visit, form);
        return PageAnswer.SeeOther("/sign-in?done=everywhere");
    }

    private async Task<PageAnswer> SecurityAsync(CustomerVisit visit, FormPost form, int status, string? notice = null) =>
        PageAnswer.Show<SecurityPage, SecurityModel>(
            "Sign-in",
            new(form, visit.Email, await security.HasPasswordAsync(visit), visit.SignIn.At, visit.SignIn.ExpiresAt, notice),
            status
        );

    private static PageAnswer Show<TView>(string title, SignInModel model, int status)
        where TView : PageView<SignInModel> => PageAnswer.Show<TView, SignInModel>(title, model, status);

    private static string NextOf(FormPost form) => LocalPaths.Of(form.Value("next"), "/");

    private static string Wait(Passage passage) =>
        $"Too many attempts. Try again in {Dashboard.Show.Count(Math.Max(1, (long)Math.Ceiling(passage.RetryAfter.TotalSeconds)), "second", "seconds")}.";

    private static string Email(FormPost form)
    {
        var email = form.Text("email", Newcomers.MaxEmail, isRequired: true);
        if (email is not null && !Newcomers.IsAddress(email))
            form.Fault("email", "This is no e-mail address.");
        return email ?? "";
    }

    private static string Code(FormPost form)
    {
        var code = form.Text("code", 20, isRequired: true);
        if (code is not null && !(code.Length == SignInDesk.CodeLength && code.All(char.IsAsciiDigit)))
            form.Fault("code", "Six digits.");
        return code ?? "";
    }
}
