using System.Diagnostics;
using System.Globalization;

namespace Ledger.Bench.Load;

/// <summary>Debian's nginx as a plain reverse proxy: what it costs to pass a call on and do nothing else.</summary>
internal sealed class Nginx : IAsyncDisposable
{
    private readonly Process _process;
    private readonly string _folder;

    private Nginx(Process process, string folder, string url) => (_process, _folder, Url) = (process, folder, url);

    public string Url { get; }

    /// <summary>Starts one before an upstream, with connections that are kept and nothing buffered.</summary>
    /// <exception cref="InvalidOperationException">It is not installed, or did not start.</exception>
    public static async Task<Nginx> StartAsync(string upstream, CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("ledger-nginx-").FullName;
        var port = TestBed.FreePort();
        var file = Path.Combine(folder, "nginx.conf");
        await File.WriteAllTextAsync(
            file,
            $$"""
            daemon off;
            worker_processes 2;
            pid {{folder}}/nginx.pid;
            error_log stderr error;
            events { worker_connections 4096; }
            http {
              access_log off;
              client_body_temp_path {{folder}}/body;
              proxy_temp_path {{folder}}/proxy;
              fastcgi_temp_path {{folder}}/fastcgi;
              uwsgi_temp_path {{folder}}/uwsgi;
              scgi_temp_path {{folder}}/scgi;
              keepalive_requests 1000000;
              upstream provider { server {{new Uri(upstream).Authority}}; keepalive 256; keepalive_requests 1000000; }
              server {
                listen 127.0.0.1:{{port.ToString(CultureInfo.InvariantCulture)}};
                location / {
                  proxy_pass http://provider;
                  proxy_http_version 1.1;
                  proxy_set_header Connection "";
                  proxy_buffering off;
                  proxy_request_buffering off;
                }
              }
            }
            """,
            ct
        );
        Process process;
        try
        {
            process = Process.Start(new ProcessStartInfo("nginx", ["-c", file, "-p", folder]))!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("The baseline of this scenario is nginx: install Debian's package nginx-light.", e);
        }

        var url = $"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";
        using var client = new HttpClient { BaseAddress = new(url) };
        for (var tries = 0; ; tries++)
        {
            if (process.HasExited || tries == 100)
                throw new InvalidOperationException("nginx did not start.");
            try
            {
                using var answer = await client.GetAsync("/", ct);
                return new(process, folder, url);
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(50, ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using (var stop = Process.Start("kill", ["-QUIT", _process.Id.ToString(CultureInfo.InvariantCulture)]))
            await stop.WaitForExitAsync();
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
