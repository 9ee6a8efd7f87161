using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Ledger.Api.Tests.Docs;

/// <summary>What a program printed, and how it ended.</summary>
/// <param name="ExitCode">0 where all is well.</param>
/// <param name="Output">What it printed.</param>
/// <param name="Errors">What it complained about.</param>
public sealed record ProgramRun(int ExitCode, string Output, string Errors);

/// <summary>Runs programs of other languages, against a server of a test.</summary>
internal static class Programs
{
    /// <summary>The folder of the official clients' packages.</summary>
    public static string Clients { get; } = Path.Combine(Repository.Folder, "tests/clients");

    /// <summary>Runs one to its end.</summary>
    /// <param name="program">What to run.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">What it finds in its environment, beside the usual.</param>
    /// <param name="input">What it reads; nothing where null.</param>
    /// <param name="folder">Where it runs; in the folder of the clients' packages where null.</param>
    public static async Task<ProgramRun> RunAsync(
        string program,
        IReadOnlyList<string> arguments,
        IReadOnlyDictionary<string, string>? environment = null,
        string? input = null,
        string? folder = null
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder ?? Clients,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // What somebody has set for the real services must not reach a test, nor a test them.
        foreach (var name in start.Environment.Keys.Where(IsForClients).ToList())
            start.Environment.Remove(name);
        start.Environment["NO_PROXY"] = start.Environment["no_proxy"] = "127.0.0.1,localhost";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading.
        }

        await process.WaitForExitAsync();
        return new(process.ExitCode, await output, await errors);
    }

    /// <summary>
    /// Compiles a C# program as it stands, by the SDK's own compiler, with the usings of a new console program and the packages that the tests have, where
    /// a warning is a fault; and runs it to its end.
    /// </summary>
    public static async Task<ProgramRun> RunCSharpAsync(string code, IReadOnlyDictionary<string, string> environment)
    {
        var folder = Directory.CreateTempSubdirectory("ledger-snippet-");
        try
        {
            var framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
            var root = Path.GetFullPath(Path.Combine(framework, "../../.."));
            var sdk = (await RunAsync("dotnet", ["--version"], folder: Repository.Folder)).Output.Trim();
            var packages = Directory
                .EnumerateFiles(AppContext.BaseDirectory, "*.dll")
                .Where(file => !Path.GetFileName(file).StartsWith("Ledger.", StringComparison.Ordinal))
                .ToList();
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "Program.cs"), code);
            await File.WriteAllTextAsync(
                Path.Combine(folder.FullName, "Usings.cs"),
                string.Concat(
                    ((string[])["", ".Collections.Generic", ".IO", ".Linq", ".Net.Http", ".Threading", ".Threading.Tasks"]).Select(name =>
                        $"global using global::System{name};\n"
                    )
                )
            );

            // What the packages need beside themselves, ASP.NET Core brings along here.
            await File.WriteAllTextAsync(
                Path.Combine(folder.FullName, "Program.runtimeconfig.json"),
                JsonSerializer.Serialize(
                    new
                    {
                        runtimeOptions = new
                        {
                            framework = new { name = "Microsoft.AspNetCore.App", version = Environment.Version.ToString(3) },
                        },
                    }
                )
            );
            var compiled = await RunAsync(
                "dotnet",
                [
                    "exec",
                    Path.Combine(root, "sdk", sdk, "Roslyn/bincore/csc.dll"),
                    "-nologo",
                    "-nullable:enable",
                    "-warnaserror+",
                    "-out:Program.dll",
                    "Program.cs",
                    "Usings.cs",
                    .. Directory.EnumerateFiles(framework, "*.dll").Concat(packages).Select(file => "-reference:" + file),
                ],
                folder: folder.FullName
            );
            if (compiled.ExitCode != 0)
                return compiled;

            // Without a list of what it needs, a program takes what stands beside it.
            foreach (var package in packages)
                File.CreateSymbolicLink(Path.Combine(folder.FullName, Path.GetFileName(package)), package);
            return await RunAsync("dotnet", ["exec", "Program.dll"], environment, folder: folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>A Python that has <c>requests</c>: Debian installs it for its own only, and another may come first on the path.</summary>
    public static async Task<string> PythonAsync()
    {
        foreach (var python in (string[])["python3", "/usr/bin/python3"])
        {
            try
            {
                if ((await RunAsync(python, ["-c", "import requests"])).ExitCode == 0)
                    return python;
            }
            catch (Win32Exception)
            {
                // There is none of this name.
            }
        }

        throw new InvalidOperationException("No python3 that has requests; on Debian: apt-get install python3-requests.");
    }

    /// <summary>Installs the official clients where they are missing; of several test processes, one does it.</summary>
    public static Task InstallClientsAsync() => Installation.Value;

    private static readonly Lazy<Task> Installation = new(async () =>
    {
        var run = await RunAsync("bash", ["install"]);
        run.ExitCode.ShouldBe(0, run.ToString());
    });

    private static bool IsForClients(string name) =>
        name.StartsWith("OPENAI_", StringComparison.Ordinal) || name.StartsWith("ANTHROPIC_", StringComparison.Ordinal);
}
