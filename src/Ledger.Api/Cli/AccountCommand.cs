using System.CommandLine;
using System.Globalization;
using Ledger.Api.Application;
using Ledger.Api.Http;
using Ledger.Api.Keys;
using Ledger.Domain;
using Ledger.Domain.Accounts;
using Ledger.Domain.Money;
using Ledger.Projections.Accounts;

namespace Ledger.Api.Cli;

/// <summary><c>account show|find</c>.</summary>
internal static class AccountCommand
{
    private const int Page = 500;

    public static Command Make(CliHost host) => new("account", "Shows and finds accounts.") { Show(host), Find(host) };

    private static Command Show(CliHost host)
    {
        var id = new Argument<string>("id") { Description = "The account's id." };
        var command = new Command("show", "Prints an account with its balances, pockets and keys.") { id };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var wanted = new AccountId(parsed.GetRequiredValue(id));
                        var account = Identifiers.IsLawful(wanted.Value)
                            ? (await services.GetRequiredService<AccountSnapshots>().LoadAsync([wanted], ct))[wanted].Account
                            : Account.Empty(wanted);
                        if (account.Status == AccountStatus.Missing)
                            throw new CliException($"There is no account {wanted}.");
                        var person = await services.GetRequiredService<People>().FindAsync(wanted, ct);
                        var now = LedgerTime.Later(services.GetRequiredService<TimeProvider>(), account.LastAt);
                        await host.Console.Output.WriteAsync(string.Join('\n', Describe(account.LapsedAt(now), person?.Email, now)) + "\n");
                    },
                    ct
                )
        );
        return command;
    }

    private static Command Find(CliHost host)
    {
        var text = new Argument<string>("text") { Description = "An account's id, or any part of an e-mail address." };
        var command = new Command("find", "Lists the accounts whose id is, or whose address contains, a text.") { text };
        command.SetAction(
            (parsed, ct) =>
                host.RunAsync(
                    async services =>
                    {
                        var people = services.GetRequiredService<People>();
                        var found = 0;
                        for (
                            var after = "";
                            await people.SearchAsync(parsed.GetRequiredValue(text), after, Page, ct) is { Count: > 0 } page;
                            after = page[^1].Account.Value
                        )
                        {
                            foreach (var line in page)
                                await host.Console.Output.WriteLineAsync(
                                    $"{line.Account}  {line.Status, -9}  {WireTime.Format(line.OpenedAt)}  {line.Email}"
                                );
                            found += page.Count;
                            if (page.Count < Page)
                                break;
                        }

                        if (found == 0)
                            throw new CliException($"No account's id is, and no address contains, '{parsed.GetRequiredValue(text)}'.");
                    },
                    ct
                )
        );
        return command;
    }

    private static IEnumerable<string> Describe(Account account, string? email, DateTimeOffset now)
    {
        yield return $"account  {account.Id}";
        yield return $"email    {email ?? "-"}";
        yield return $"status   {(account.Status == AccountStatus.Open ? "open" : "suspended")}";
        yield return $"country  {account.Country ?? "-"}";
        yield return $"created  {WireTime.Format(account.OpenedAt)}";
        yield return string.Create(CultureInfo.InvariantCulture, $"version  {account.Version}");
        foreach (var unit in Enum.GetValues<Unit>())
        {
            // Packs apart, as everywhere: each stands below with what it is for.
            var open = account.Wallet.Open.Where(pocket => pocket.Unit == unit && pocket.Scope is null).ToList();
            yield return $"{unit.Name(), -7}  posted {Sum(open.Sum(pocket => pocket.Remaining))}, held {Sum(open.Sum(pocket => pocket.Held))}, "
                + $"available {account.Wallet.Available(unit, now).ToDecimalString()}, debt {account.Wallet.Debt(unit).ToDecimalString()}";

            string Sum(long parts) => new Amount(parts, unit).ToDecimalString();
        }

        foreach (var pocket in account.Wallet.Open)
        {
            yield return $"pocket   {pocket.Id}: {new Amount(pocket.Remaining, pocket.Unit).ToDecimalString()} of {new Amount(pocket.Granted, pocket.Unit)}, "
                + $"{EventStore.EventTypes.SnakeCase(pocket.Source.ToString())}{(pocket.Scope is null ? "" : " for " + pocket.Scope)}"
                + $"{(pocket.ExpiresAt is { } at ? ", until " + WireTime.Format(at) : "")}";
        }

        foreach (var key in account.Keys.Keys.Values.OrderBy(key => key.CreatedAt).ThenBy(key => key.Id.Value, StringComparer.Ordinal))
        {
            yield return $"key      {key.Id}: {key.Prefix}_live_…{key.LastFour}, {EventStore.EventTypes.SnakeCase(key.Kind.ToString())}, {key.Name}{(key.Disabled ? ", disabled" : "")}"
                + $"{(key.RevokedAt is { } revoked ? ", revoked " + WireTime.Format(revoked) : key.ExpiresAt is { } expires ? ", until " + WireTime.Format(expires) : "")}";
        }
    }
}
