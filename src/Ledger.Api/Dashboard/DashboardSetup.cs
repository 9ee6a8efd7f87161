using Ledger.Api.Dashboard.Access;
using Ledger.Api.Dashboard.Activity;
using Ledger.Api.Dashboard.Credits;
using Ledger.Api.Dashboard.Docs;
using Ledger.Api.Dashboard.Keys;
using Ledger.Api.Dashboard.Operator;
using Ledger.Api.Dashboard.Overview;
using Ledger.Api.Dashboard.Packs;
using Ledger.Api.Dashboard.Workspace;

namespace Ledger.Api.Dashboard;

/// <summary>The dashboard: the pages of accounts, and the operator's.</summary>
public static class DashboardSetup
{
    /// <summary>Registers what the pages need.</summary>
    public static IServiceCollection AddDashboard(this IServiceCollection services)
    {
        services.AddSingleton<AssetLibrary>();
        services.AddSingleton<PageRenderer>();
        services.AddSingleton<PageDoor>();
        services.AddSingleton<OperatorDoor>();
        services.AddSingleton<AccountSecurity>();
        services.AddSingleton<OverviewDesk>();
        services.AddSingleton<ApiBook>();
        return services;
    }

    /// <summary>Maps the pages.</summary>
    public static void MapDashboard(this WebApplication app)
    {
        ArgumentNullException.ThrowIfNull(app);
        app.Services.GetRequiredService<AssetLibrary>().Map(app);
        var (door, operatorDoor) = (app.Services.GetRequiredService<PageDoor>(), app.Services.GetRequiredService<OperatorDoor>());
        var guests = new PageRoutes<GuestVisit>(app, PageAudience.Guest, door.GreetAsync);
        var customers = new PageRoutes<CustomerVisit>(app, PageAudience.Customer, door.EnterAsync);
        var operatorGuests = new PageRoutes<GuestVisit>(app, PageAudience.Guest, operatorDoor.GreetAsync);
        var operators = new PageRoutes<OperatorVisit>(app, PageAudience.Operator, operatorDoor.EnterAsync);

        SignInPages.Map(app.Services, guests, customers);
        OverviewPages.Map(app.Services, customers);
        KeyPages.Map(app.Services, customers);
        CreditPages.Map(app.Services, customers);
        SubscriptionPages.Map(app.Services, customers);
        PackPages.Map(app.Services, customers);
        ActivityPages.Map(app.Services, customers);
        ReceiptPages.Map(app.Services, customers);
        DocsPages.Map(app.Services, customers);
        WorkspacePages.Map(app.Services, customers);
        OperatorPages.Map(app.Services, operatorGuests, operators);
    }
}
