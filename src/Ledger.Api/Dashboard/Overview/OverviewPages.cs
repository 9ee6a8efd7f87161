namespace Ledger.Api.Dashboard.Overview;

/// <summary>The first page of whoever is signed in.</summary>
internal static class OverviewPages
{
    /// <summary>Maps the route.</summary>
    public static void Map(IServiceProvider services, PageRoutes<CustomerVisit> customers)
    {
        var desk = services.GetRequiredService<OverviewDesk>();
        customers.Page(
            "/",
            async visit =>
                PageAnswer.Show<OverviewPage, OverviewModel>(
                    "Overview",
                    await desk.ShowAsync(visit, visit.Query("done") == "opened" ? "Your account is open, and you are signed in." : null)
                )
        );
    }
}
