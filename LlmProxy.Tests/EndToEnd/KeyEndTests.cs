using LlmProxy.Core;
using LlmProxy.Core.Configuration;
using LlmProxy.Tests.Support;
using Microsoft.Extensions.Time.Testing;
using NUnit.Framework;

namespace LlmProxy.Tests.EndToEnd;

/// <summary>What ends a key, by time, in the store or in the configuration, and what does not.</summary>
public sealed class KeyEndTests : KeyCutFixture
{
    [Test]
    public async Task P08_a_key_that_expires_ends_what_runs_by_it_then_and_not_before()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna", "{\"Expires\": \"2026-11-22T12:01:00Z\"}");
        RawResponse response = await BeginAsync(made.Secret!);
        Task<RawResponse> end = response.ReadToEndAsync();
        await MoveAsync(clock, TimeSpan.FromSeconds(59));
        Assert.That(end.IsCompleted, Is.False);
        await clock.AdvanceUntilAsync(end, TimeSpan.FromMilliseconds(100), most: 20);
        Contract.AssertBroken(await end, "key_revoked");
        await AssertCutAsync(200);
    }

    [Test]
    public async Task P08_an_end_that_is_put_off_while_a_request_runs_counts_for_it()
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna", "{\"Expires\": \"2026-11-22T12:01:00Z\"}");
        RawResponse response = await BeginAsync(made.Secret!);
        Task<RawResponse> end = response.ReadToEndAsync();
        await Keys.ChangeAsync("anna", "{\"Expires\": \"2026-11-22T12:02:00Z\"}");
        await MoveAsync(clock, TimeSpan.FromSeconds(119));
        Assert.That(end.IsCompleted, Is.False);
        await clock.AdvanceUntilAsync(end, TimeSpan.FromMilliseconds(100), most: 20);
        Contract.AssertBroken(await end, "key_revoked");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task P08_what_a_key_was_before_its_rotation_ends_with_the_overlap_and_what_it_is_now_does_not(bool beganBefore)
    {
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        RawResponse? old = beganBefore ? await BeginAsync(made.Secret!) : null;
        LlmProxyKeyChange rotated = await Keys.RotateAsync("anna", TimeSpan.FromMinutes(1));
        Task<RawResponse> before = (old ?? await BeginAsync(made.Secret!)).ReadToEndAsync();
        Task<RawResponse> now = (await BeginAsync(rotated.Secret!)).ReadToEndAsync();
        await MoveAsync(clock, TimeSpan.FromSeconds(59));
        Assert.That((before.IsCompleted, now.IsCompleted), Is.EqualTo((false, false)), "within the overlap");
        await clock.AdvanceUntilAsync(before, TimeSpan.FromMilliseconds(100), most: 20);
        Contract.AssertBroken(await before, "key_revoked");
        await MoveAsync(clock, TimeSpan.FromSeconds(5));
        Assert.That(now.IsCompleted, Is.False);
        await Keys.RotateAsync("anna", TimeSpan.Zero);
        await clock.AdvanceUntilAsync(now, TimeSpan.FromMilliseconds(100), most: 20);
        Contract.AssertBroken(await now, "key_revoked");
    }

    [Test]
    public async Task P08_changes_that_leave_a_key_its_callers_end_nothing()
    {
        Setup.IsFromFile = true;
        Setup.Options.Groups["staff"] = new GroupOptions();
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        await StartAsync();
        LlmProxyKeyChange anna = await Keys.CreateAsync("anna", "{\"Group\": \"staff\"}");
        await Keys.CreateAsync("bob");
        RawResponse[] running = [await BeginAsync(anna.Secret!), await BeginAsync(Canary.ClientKey)];
        Task<RawResponse[]> ends = Task.WhenAll(running.Select(r => r.ReadToEndAsync()));
        await Keys.ChangeAsync("anna", "{\"Group\": \"staff\", \"Concurrent\": 1, \"Models\": []}");
        await Keys.RevokeAsync("bob");
        await MoveAsync(clock, TimeSpan.FromSeconds(2));
        Setup.Options.Keys["tester"].RequestsPerMinute = 1;
        Setup.Options.Keys.Remove("other");
        Setup.Options.Groups.Clear();
        await ReloadAsync(2);
        await MoveAsync(clock, TimeSpan.FromSeconds(2));
        Assert.That(running.Select(r => r.End), Is.All.EqualTo(BodyEnd.Open));
        await Keys.RevokeAsync("anna");
        Setup.Options.Keys["tester"].Disabled = true;
        await ReloadAsync(3);
        await clock.AdvanceUntilAsync(ends, TimeSpan.FromMilliseconds(100), most: 20);
        Assert.That((await ends).Select(r => r.End), Is.All.EqualTo(BodyEnd.Unterminated), "that it was looked at all the time");
    }

    [TestCase("removed")]
    [TestCase("replaced")]
    [TestCase("disabled")]
    [TestCase("expired")]
    public async Task P08_a_key_of_the_configuration_that_a_reload_ends_ends_what_runs_by_it(string how)
    {
        Setup.IsFromFile = true;
        await StartAsync();
        RawResponse response = await BeginAsync(Canary.ClientKey);
        RawResponse other = await BeginAsync(Canary.OtherClientKey);
        switch (how)
        {
            case "removed":
                Setup.Options.Keys.Remove("tester");
                break;
            case "replaced":
                Setup.Options.Keys["tester"].Key = "another-0123456789";
                break;
            case "disabled":
                Setup.Options.Keys["tester"].Disabled = true;
                break;
            default:
                Setup.Options.Keys["tester"].Expires = DateTimeOffset.UnixEpoch;
                break;
        }

        await ReloadAsync(2);
        Contract.AssertBroken(await response.ReadToEndAsync(), "key_revoked");
        await AssertCutAsync(200);
        Assert.That(other.End, Is.EqualTo(BodyEnd.Open));
    }

    [Test]
    public async Task P08_the_choice_follows_a_reload_both_ways()
    {
        Setup.IsFromFile = true;
        Setup.Options.Limits.RevokedKey = RevokedKey.Finish;
        FakeTimeProvider clock = Setup.UseFakeClock();
        Setup.Main.Timeouts.Heartbeat = TimeSpan.Zero;
        await StartAsync();
        LlmProxyKeyChange made = await Keys.CreateAsync("anna");
        Task<RawResponse> end = (await BeginAsync(made.Secret!)).ReadToEndAsync();
        await Keys.RevokeAsync("anna");
        await MoveAsync(clock, TimeSpan.FromSeconds(2));
        Assert.That(end.IsCompleted, Is.False, "it may finish");
        Setup.Options.Limits.RevokedKey = RevokedKey.Cut;
        await ReloadAsync(2);
        await clock.AdvanceUntilAsync(end, TimeSpan.FromMilliseconds(100), most: 20);
        Contract.AssertBroken(await end, "key_revoked");

        made = await Keys.CreateAsync("anna");
        end = (await BeginAsync(made.Secret!)).ReadToEndAsync();
        Setup.Options.Limits.RevokedKey = RevokedKey.Finish;
        await ReloadAsync(3);
        await Keys.RevokeAsync("anna");
        await MoveAsync(clock, TimeSpan.FromSeconds(2));
        Assert.That(end.IsCompleted, Is.False);
    }
}
