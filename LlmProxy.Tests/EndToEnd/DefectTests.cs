using System.Diagnostics.Metrics;
using System.Reflection;
using LlmProxy.Core;
using LlmProxy.Core.Accounting;
using LlmProxy.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What fails in the proxy itself, or in what an app adds to it, holds nothing for ever.</summary>
public sealed class DefectTests : ProxyFixture
{
    private Accountant Accountant => App.Services.GetRequiredService<Accountant>();

    [SetUp]
    public void Inside()
    {
        InProcessOnly("something of it fails");
        AllowErrorLogs("something of it fails");
    }

    [Test]
    public async Task A_listener_to_metrics_that_fails_keeps_no_configuration_in_force_and_no_request_active()
    {
        await StartAsync();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name == MetricNames.RequestDuration && instrument.Meter.Scope == App.Services.GetRequiredService<IMeterFactory>())
            {
                self.EnableMeasurementEvents(instrument);
            }
        };
        int heard = 0;
        listener.SetMeasurementEventCallback<double>((_, _, _, _) =>
        {
            Interlocked.Increment(ref heard);
            throw new InvalidOperationException("the app's listener");
        });
        listener.Start();
        Assert.That((await PostAsync(Chat.Request())).Status, Is.EqualTo(200));
        await Deadline.Until(() => heard > 0 && Accountant.Active == 0 && Holders() == 0, what: "nothing to be held");
        await RecordAsync();
    }

    [Test]
    public async Task A_request_that_fails_before_anything_is_known_of_it_is_answered_and_ends()
    {
        await StartAsync();
        var http = new DefaultHttpContext();
        await App.Services.GetRequiredService<LlmProxyMiddleware>().InvokeAsync(http, null!);
        Assert.That((http.Response.StatusCode, Accountant.Active, Holders()), Is.EqualTo((500, 0L, 0L)));
        ExpectRecords(1);
    }

    private long Holders() => (long)typeof(LlmProxySnapshot).GetField("_holders", BindingFlags.Instance | BindingFlags.NonPublic)!
        .GetValue(App.Services.GetRequiredService<LlmProxySnapshots>().Current)!;
}
