namespace Ledger.Api.Http;

/// <summary>Where this server is, as its caller knows it.</summary>
internal static class ServerAddress
{
    /// <summary>The address that the request was sent to.</summary>
    public static Uri Of(HttpContext context) => new($"{context.Request.Scheme}://{context.Request.Host.ToUriComponent()}/");
}
