using System.Xml.Linq;
using Ledger.Api.Keys;
using Ledger.Projections.Access;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.DataProtection.Repositories;
using Microsoft.Extensions.Options;

namespace Ledger.Api.Access;

/// <summary>Registers who may do what.</summary>
public static class AccessSetup
{
    /// <summary>Keys, tokens, sessions, mail, regions and rate limits.</summary>
    public static IServiceCollection AddAccess(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(AccessOptions.From(configuration));
        services.AddSingleton(MailOptions.From(configuration));
        services.AddSingleton<Regions>();
        services.AddSingleton<RateGates>();
        services.AddSingleton<KeyBuckets>();
        services.AddSingleton<SigningKeys>();
        services.AddSingleton<OneTimeCodes>();
        services.AddSingleton<OperatorSignOuts>();
        services.AddSingleton<KeyUses>();
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<Passwords>();
        services.AddSingleton<Registrar>();
        services.AddSingleton<SignInDesk>();
        services.AddSingleton<Doorkeeper>();
        services.AddSingleton<Entrance>();
        services.AddSingleton<Mailer>();
        services.AddHostedService(provider => provider.GetRequiredService<Mailer>());
        services.AddHostedService<KeyUseWriter>();

        services.AddProtection();
        services
            .AddAuthentication()
            .AddCookie(
                Doorkeeper.Session,
                options =>
                {
                    options.Cookie.Name = Doorkeeper.Session;
                    options.Cookie.HttpOnly = true;
                    options.Cookie.SameSite = SameSiteMode.Lax;
                    options.Cookie.SecurePolicy = CookieSecurePolicy.Always;
                    options.ExpireTimeSpan = Sessions.Lifetime;
                    options.SlidingExpiration = false;
                }
            );
        services.AddAntiforgery(options =>
        {
            options.HeaderName = Doorkeeper.CsrfHeader;
            options.Cookie = new SecureCookie
            {
                Name = "ledger_csrf",
                HttpOnly = true,
                SameSite = SameSiteMode.Strict,
                IsEssential = true,
            };
        });
        return services;
    }

    /// <summary>What protects secrets that are stored: what the command line needs too.</summary>
    public static IServiceCollection AddProtection(this IServiceCollection services)
    {
        services.AddSingleton<ProtectionKeys>();
        services.AddDataProtection().SetApplicationName("ledger");
        services.AddSingleton<IConfigureOptions<KeyManagementOptions>>(provider => new ConfigureOptions<KeyManagementOptions>(options =>
            options.XmlRepository = new ProtectionKeyRepository(provider.GetRequiredService<ProtectionKeys>())
        ));
        return services;
    }

    /// <summary>
    /// A cookie that is always <c>Secure</c>. Antiforgery refuses that setting for requests that do not come over TLS themselves, which behind a proxy none does;
    /// browsers take such a cookie from a loopback address too.
    /// </summary>
    private sealed class SecureCookie : CookieBuilder
    {
        public override CookieOptions Build(HttpContext context, DateTimeOffset expiresFrom)
        {
            var options = base.Build(context, expiresFrom);
            options.Secure = true;
            return options;
        }
    }

    /// <summary>Keeps data protection's keys in the database, so that every node reads every node's cookies.</summary>
    private sealed class ProtectionKeyRepository(ProtectionKeys keys) : IXmlRepository
    {
        public IReadOnlyCollection<XElement> GetAllElements() => [.. keys.List().Select(xml => XElement.Parse(xml))];

        public void StoreElement(XElement element, string friendlyName) =>
            keys.Add(friendlyName, element.ToString(SaveOptions.DisableFormatting));
    }
}
