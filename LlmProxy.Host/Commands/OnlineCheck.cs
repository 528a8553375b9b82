using System.Globalization;
using System.Text.Json;
using LlmProxy.Core;
using LlmProxy.Core.Forwarding;
using LlmProxy.Host.Sources;
using LlmProxy.Host.Terminal;

namespace LlmProxy.Host.Commands;

/// <summary>What <c>check --online</c> found beyond the file: how the upstreams are, and what the running instance would lose.</summary>
/// <param name="upstreams">One report each, in the order of configuration.</param>
/// <param name="instances">Which it can be compared with: only if that is one, it is.</param>
/// <param name="changes">Against that one.</param>
internal sealed class OnlineCheck(IReadOnlyList<UpstreamReport> upstreams, IReadOnlyList<RunningInstance> instances, IReadOnlyList<LlmProxyChange> changes)
{
    private RunningInstance? Running => instances is [var one] ? one : null;

    private int Down => upstreams.Count(static report => report.Failure is not null);

    private int Losses => changes.Count(static change => change.TakesAccessAway);

    // Which of several is to be replaced, and what that would lose, is not known.
    private bool IsUncompared => instances.Count > 1;

    public bool IsDoubtful => Down + Losses > 0 || IsUncompared;

    /// <summary>The words that follow "usable".</summary>
    public string Summary => (Down == 0 ? "" : Down == 1 ? ", 1 upstream down" : $", {Down} upstreams down")
        + (Losses == 0 ? "" : Losses == 1 ? ", 1 change takes access away" : $", {Losses} changes take access away")
        + (IsUncompared ? ", not compared with any of several instances" : "");

    /// <summary>Asks them all at once.</summary>
    /// <param name="configuration">What is checked.</param>
    /// <param name="against">The file that the running instance was started with; null: the one that is checked, or whichever runs.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="RefusedException">No instance runs on the file that was named.</exception>
    public static async Task<OnlineCheck> RunAsync(LoadedConfiguration configuration, string? against, CancellationToken cancellation)
    {
        var asked = configuration.Options.Upstreams.Select(upstream => UpstreamInquiry.AskAsync(upstream.Key, upstream.Value, TimeProvider.System, cancellation));
        var finding = against is null ? RunningInstance.FindAsync(configuration.Source, cancellation) : FindNamedAsync(against, cancellation);
        var reports = await Task.WhenAll(asked);
        var instances = await finding;
        return new OnlineCheck(reports, instances, instances is [var running] ? running.Outline.ChangesTo(configuration.Options) : []);
    }

    private static async Task<IReadOnlyList<RunningInstance>> FindNamedAsync(string file, CancellationToken cancellation) =>
        await RunningInstance.FindOwnAsync(new ConfigurationSource(SourceKind.File, file, file), cancellation) is { } running
            ? [running]
            : throw new RefusedException($"--against names {file}, but no instance that was started with it runs here as this user.");

    public void Print()
    {
        var width = upstreams.Max(static report => report.Upstream.Length);
        foreach (var report in upstreams)
        {
            var name = report.Upstream.PadRight(width);
            Writers.Results.WriteLine(report.Failure is { } why
                ? $"{name}  FAILED      {Visible.Line(why)}"
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{name}  ok {report.Elapsed.TotalMilliseconds:0} ms   {Models(report.Models)}   {string.Join(' ', report.Operations)}"));
        }

        if (Running is not { } running)
        {
            Writers.People.WriteLine(instances.Count == 0
                ? "No instance runs here as this user: nothing to compare with."
                : $"Nothing was compared: several instances run here. Name one with --against: {Visible.Line(string.Join(", ", instances.Select(static i => i.Source)))}");
            return;
        }

        Writers.People.WriteLine($"Compared with the instance that was started with {Visible.Line(running.Source)}");
        Writers.Results.WriteLine(changes.Count == 0
            ? $"against running generation {running.Generation}: no change to models and callers"
            : $"against running generation {running.Generation}:");
        var widest = changes.Select(static change => change.Subject.Length).DefaultIfEmpty().Max();
        foreach (var change in changes)
        {
            Writers.Results.WriteLine($"  {Sign(change.Kind)} {Visible.Line(change.Subject).PadRight(widest)}   {Visible.Line(change.Text)}".TrimEnd());
        }
    }

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartArray("upstreams"u8);
        foreach (var report in upstreams)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, report.Upstream);
            json.WriteBoolean("ok"u8, report.Failure is null);
            json.WriteNumber("ms"u8, Math.Round(report.Elapsed.TotalMilliseconds));
            if (report.Failure is { } why)
            {
                json.WriteString("failure"u8, why);
            }

            if (report.Models is { } models)
            {
                json.WriteNumber("models"u8, models);
            }

            json.WriteStartArray("operations"u8);
            foreach (var operation in report.Operations)
            {
                json.WriteStringValue(operation);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        if (Running is { } running)
        {
            json.WriteString("running_source"u8, running.Source);
            json.WriteNumber("running_generation"u8, running.Generation);
            WriteChanges(json);
        }
    }

    private void WriteChanges(Utf8JsonWriter json)
    {
        json.WriteStartArray("changes"u8);
        foreach (var change in changes)
        {
            json.WriteStartObject();
            json.WriteString("kind"u8, change.Kind switch { LlmProxyChangeKind.Added => "added"u8, LlmProxyChangeKind.Removed => "removed"u8, _ => "changed"u8 });
            json.WriteString("subject"u8, change.Subject);
            json.WriteString("text"u8, change.Text);
            json.WriteBoolean("takes_access_away"u8, change.TakesAccessAway);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Models(int? count) => count switch
    {
        null => "lists no models",
        1 => "1 model",
        _ => string.Create(CultureInfo.InvariantCulture, $"{count} models"),
    };

    private static char Sign(LlmProxyChangeKind kind) => kind switch
    {
        LlmProxyChangeKind.Added => '+',
        LlmProxyChangeKind.Removed => '-',
        _ => '~',
    };
}
