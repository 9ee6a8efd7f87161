using Ledger.Api.Http;
using Ledger.Api.Keys;

namespace Ledger.Api.Dialects.Tenant;

/// <summary>The tenant dialect, <c>/tenant</c>: keys, for every key of the account and whoever is signed in.</summary>
public static class TenantApi
{
    /// <summary>For everything under the routes that no handler answered.</summary>
    internal static FaultShape Shape { get; } = ApiErrors.ShapeOf("/tenant");

    /// <summary>Maps the routes.</summary>
    public static void Map(WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        var keys = KeyEndpoints.Of(app.Services, needed: null, isWrapped: false);
        var tenant = app.MapGroup("/tenant").WithTags("Tenant");
        tenant
            .MapGet("/keys", keys.ListAsync)
            .Describe<KeyList>("The account's keys, oldest first; revoked ones are not among them.", 200, 400);
        tenant
            .MapPost("/keys", (Delegate)keys.CreateAsync)
            .Describe<CreateKeyRequest, KeyView>(
                "Mints a key; its secret is in this answer only. An inference key mints nothing wider than itself, and pays for what it minted.",
                201,
                402,
                409
            );
        tenant.MapGet("/keys/{key_id}", keys.ShowAsync).Describe<KeyView>("One key.", 200, 404);
        tenant.MapDelete("/keys/{key_id}", keys.RevokeAsync).Describe("Revokes a key: requests sent from now on fail.", 204, 404);
    }
}
