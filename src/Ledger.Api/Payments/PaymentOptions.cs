using Ledger.Api.Application;

namespace Ledger.Api.Payments;

/// <summary>Who takes payments, section <c>Billing</c> of the configuration.</summary>
public sealed class PaymentOptions
{
    /// <summary>The provider that is part of this server, for trying things out.</summary>
    public const string Sandbox = "sandbox";

    /// <summary>Stripe.</summary>
    public const string StripeName = "stripe";

    /// <summary>The provider: <c>sandbox</c> or <c>stripe</c>.</summary>
    public string Provider { get; set; } = Sandbox;

    /// <summary>
    /// Where customers come back to after a checkout that was asked for by the API; the server's own address where it is not set. From the dashboard, one
    /// comes back to the dashboard.
    /// </summary>
    public Uri? ReturnUrl { get; set; }

    /// <summary>How often sandbox subscriptions are looked at for their next invoice; zero for never.</summary>
    public TimeSpan SandboxInterval { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Stripe's settings.</summary>
    public StripeSettings Stripe { get; set; } = new();

    /// <summary>Reads the settings.</summary>
    /// <exception cref="SettingsException">One of them cannot be used; the message names it.</exception>
    public static PaymentOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        PaymentOptions options;
        try
        {
            options = configuration.GetSection("Billing").Get<PaymentOptions>() ?? new();
        }
        catch (InvalidOperationException e)
        {
            throw new SettingsException(e.Message, e);
        }

        if (options.Provider is not (Sandbox or StripeName))
            throw new SettingsException("Billing:Provider must be sandbox or stripe.");
        if (options.ReturnUrl is { IsAbsoluteUri: false })
            throw new SettingsException("Billing:ReturnUrl must be an absolute address.");
        if (options.SandboxInterval < TimeSpan.Zero)
            throw new SettingsException("Billing:SandboxInterval must not be negative.");
        if (options.Provider == StripeName)
            options.Stripe.Check();
        return options;
    }
}

/// <summary>How Stripe is reached, section <c>Billing:Stripe</c> of the configuration.</summary>
public sealed class StripeSettings
{
    /// <summary>The secret key.</summary>
    public string ApiKey { get; set; } = "";

    /// <summary>
    /// The secret with which Stripe signs what it tells; without it the server does not start in this mode. Several, with commas between, while one is
    /// replaced by another.
    /// </summary>
    public string WebhookSecret { get; set; } = "";

    /// <summary>Where Stripe is; another address for tests.</summary>
    public Uri BaseUrl { get; set; } = new("https://api.stripe.com");

    /// <summary>The origins of Stripe's own pages, with commas between; others where an account has a domain of its own for them.</summary>
    public string PageOrigins { get; set; } = "https://checkout.stripe.com,https://billing.stripe.com";

    /// <summary>How long one request may take.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How often a request that may pass is tried again.</summary>
    public int Retries { get; set; } = 3;

    /// <summary>The secrets, one by one.</summary>
    internal IReadOnlyList<string> WebhookSecrets =>
        WebhookSecret.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>The origins, one by one.</summary>
    internal IReadOnlyList<string> PageOriginList =>
        PageOrigins.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Refuses settings with which nothing could be paid, or anybody could say that something was.</summary>
    internal void Check()
    {
        if (ApiKey.Length == 0)
            throw new SettingsException("Billing:Stripe:ApiKey must be set where Billing:Provider is stripe.");
        if (ApiKey.Any(c => c is <= ' ' or > '~'))
            throw new SettingsException("Billing:Stripe:ApiKey must be one word.");
        if (WebhookSecrets.Count == 0)
            throw new SettingsException(
                "Billing:Stripe:WebhookSecret must be set where Billing:Provider is stripe: without it, anybody could say that something was paid."
            );
        if (!BaseUrl.IsAbsoluteUri)
            throw new SettingsException("Billing:Stripe:BaseUrl must be an absolute address.");
        // They are written into the pages' policy as they stand, so that nothing but an origin may stand there.
        foreach (var origin in PageOriginList)
        {
            if (
                !Uri.TryCreate(origin, UriKind.Absolute, out var page)
                || page.Scheme is not ("https" or "http")
                || page.GetLeftPart(UriPartial.Authority) != origin
                || origin.Any(c => c is <= ' ' or ';' or ',' or '*' or '\'' or > '~')
            )
                throw new SettingsException(
                    "Billing:Stripe:PageOrigins must be addresses such as https://pay.example.com, without a path."
                );
        }

        if (Timeout <= TimeSpan.Zero)
            throw new SettingsException("Billing:Stripe:Timeout must be positive.");
        if (Retries is < 0 or > 10)
            throw new SettingsException("Billing:Stripe:Retries must be from 0 to 10.");
    }
}
