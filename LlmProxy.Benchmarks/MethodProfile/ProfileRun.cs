using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Text;
using LlmProxy.Benchmarks.Payloads;
using LlmProxy.Benchmarks.StreamLatency.Load;
using LlmProxy.Benchmarks.StreamLatency.Targets;

namespace LlmProxy.Benchmarks.MethodProfile;

/// <summary>
/// <c>-- profile</c>: writes down which branches of the proxy and of what it is made of are taken and which classes they meet, for the
/// ahead-of-time compiler to know what is rare. The counts are those of .NET's own compiler, from the same code run under it.
/// </summary>
internal static class ProfileRun
{
    /// <summary>What ran less often has no part in what a request costs, and its counts would be most of the file.</summary>
    private const long Least = 1000;

    private const int AgentRequests = 2000;

    // The upstream takes no more than 64 KB.
    private const int AgentBytes = 48 << 10;

    private static readonly Func<int, LoadPlan>[] _plans =
    [
        static port => new LoadPlan(port, 32, false, 0, 0, 1500, 120, 0, 0),
        static port => new LoadPlan(port, 16, true, 100, 0, 200, 120, 0, 0),
        static port => new LoadPlan(port, 200, true, 40, 25_000, 3, 120, 0, 40),
    ];

    // Of every method from its first call on, its framework's too, and without a second compilation that would count no more.
    private static readonly Dictionary<string, string> _counting = new()
    {
        ["DOTNET_ReadyToRun"] = "0",
        ["DOTNET_TieredPGO"] = "1",
        ["DOTNET_TieredPGO_InstrumentOnlyHotCode"] = "0",
        ["DOTNET_TC_CallCounting"] = "0",
        ["DOTNET_TC_OnStackReplacement"] = "0",
        ["DOTNET_WritePGOData"] = "1",

        // The executable is for processors without: the branches that it takes are the others.
        ["DOTNET_EnableAVX"] = "0",
    };

    /// <returns>The exit code: 1 if something that is needed is not there, or did not work.</returns>
    public static async Task<int> RunAsync()
    {
        if (ExecutableTarget.Source() is not { } source)
        {
            Console.Error.WriteLine("The source is not there.");
            return 1;
        }

        var folder = Directory.CreateTempSubdirectory("llmproxy-profile-").FullName;
        try
        {
            await BuildAsync(source);
            var program = Path.Combine(source, "LlmProxy.Host", "bin", "Release", $"net{new FrameworkName(AppContext.TargetFrameworkName!).Version}", "llmproxy.dll");
            var counts = Path.Combine(folder, "counts.txt");
            var target = new ExecutableTarget(program, new Profiler(["dotnet"], new(_counting) { ["DOTNET_PGODataPath"] = counts }));
            if (target.Prepare(Console.WriteLine) is { } reason)
            {
                throw new InvalidOperationException(reason);
            }

            await ProfiledExecutable.RunAsync(target, _plans, AskAsAgentsAsync);
            Write(counts, Path.GetDirectoryName(program)!, Path.Combine(source, "LlmProxy.Host", "methods.mibc"));
            return 0;
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception or IOException or UnauthorizedAccessException or HttpRequestException
            or OperationCanceledException or FormatException or InvalidDataException or BadImageFormatException)
        {
            Console.Error.WriteLine(e.Message);
            return 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // As it is published, but for .NET's own compiler.
    private static async Task BuildAsync(string source)
    {
        using var build = Process.Start(new ProcessStartInfo("dotnet", ["build", "LlmProxy.Host", "-c", "Release", "-v", "q"]) { WorkingDirectory = source })!;
        await build.WaitForExitAsync();
        if (build.ExitCode != 0)
        {
            throw new InvalidOperationException("It could not be built.");
        }
    }

    private static void Write(string counts, string program, string output)
    {
        var runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var server = Path.GetDirectoryName(typeof(Microsoft.AspNetCore.Builder.WebApplication).Assembly.Location)!;
        using var assemblies = new KnownAssemblies([program, server, runtime]);
        var file = new ProfileFile(assemblies);
        var often = RuntimeProfile.Read(File.ReadLines(counts))
            .Where(static method => method.Most >= Least)
            .OrderBy(static method => method.Name, StringComparer.Ordinal)
            .ThenByDescending(static method => method.Most)
            .ToArray();
        var added = often.Count(file.TryAdd);
        if (added <= often.Length / 2)
        {
            throw new InvalidOperationException($"Only {added} of {often.Length} methods are known by their names: the runtime writes them in another way, or is not the one that this runs on.");
        }

        file.Save(output);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Written: {added} of {often.Length} methods that ran {Least} times or more, in {output}"));
    }

    /// <summary>What is rare in small requests is not where a body has 48 KB.</summary>
    private static async Task AskAsAgentsAsync(int port)
    {
        var text = Encoding.UTF8.GetString(AgentBody.Create(AgentBytes)).Replace("\"gpt-5\"", $"\"{Wire.Model}\"", StringComparison.Ordinal)
            .Replace("Why does", $"{Encoding.ASCII.GetString(Wire.Plan)}20/0; Why does", StringComparison.Ordinal);
        var body = Encoding.UTF8.GetBytes(text);
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Wire.ClientKey);
        for (var i = 0; i < AgentRequests; i++)
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var answer = await client.PostAsync(new Uri(Wire.Path, UriKind.Relative), content);
            answer.EnsureSuccessStatusCode();
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{AgentRequests} requests of {body.Length} bytes"));
    }
}
