using System.Net;
using Ledger.Api.Notifications;
using Ledger.Projections.Notifications;

namespace Ledger.Api.Tests.Notifications;

/// <summary>Webhooks go to public addresses only, whatever the name says that leads there.</summary>
public sealed class PublicAddressTests
{
    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.1.2.3")]
    [InlineData("100.64.0.1")]
    [InlineData("100.100.100.200")]
    [InlineData("100.127.255.255")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("168.63.129.16")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.0.0.192")]
    [InlineData("192.168.0.1")]
    [InlineData("198.18.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::7f00:1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("::ffff:32.1.1.1")]
    [InlineData("::ffff:200.1.1.8")]
    [InlineData("64:ff9b::7f00:1")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::")]
    [InlineData("fc00::1")]
    [InlineData("fd00:ec2::254")]
    [InlineData("fe80::1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    public void An_address_inside_is_not_public(string address) => PublicAddresses.IsPublic(IPAddress.Parse(address)).ShouldBeFalse();

    [Theory]
    [InlineData("8.8.8.8")]
    [InlineData("100.63.255.255")]
    [InlineData("100.128.0.1")]
    [InlineData("172.15.0.1")]
    [InlineData("172.32.0.1")]
    [InlineData("192.169.0.1")]
    [InlineData("223.255.255.255")]
    [InlineData("2606:4700:4700::1111")]
    [InlineData("2a00:1450:4001:80b::200e")]
    public void Any_other_is(string address) => PublicAddresses.IsPublic(IPAddress.Parse(address)).ShouldBeTrue();

    [Theory]
    [InlineData("http://127.0.0.1:{0}/hook", "127.0.0.1 is not at a public address (127.0.0.1).")]
    [InlineData("http://2130706433:{0}/hook", "127.0.0.1 is not at a public address (127.0.0.1).")]
    [InlineData("http://0x7f.1:{0}/hook", "127.0.0.1 is not at a public address (127.0.0.1).")]
    [InlineData("http://[::1]:{0}/hook", "[::1] is not at a public address (::1).")]
    [InlineData("http://[::ffff:127.0.0.1]:{0}/hook", "[::ffff:127.0.0.1] is not at a public address (::ffff:127.0.0.1).")]
    [InlineData("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not at a public address (169.254.169.254).")]
    [InlineData("http://localhost:{0}/hook", "localhost is not at a public address (")]
    public async Task A_refused_address_is_a_failed_attempt_that_says_why_and_nobody_is_reached(string url, string error)
    {
        await using var world = await NotificationWorld.CreateAsync(("Notifications:AllowPrivateNetworks", "false"));
        var account = await world.OpenAsync();
        await world.Targets.SetAsync(account.Id, string.Format(null, url, world.Receiver.Port), false);
        await world.SpendAsync(account, 10);
        (await world.TellAsync()).ShouldBe(1);
        world.Receiver.All.ShouldBeEmpty();
        var waiting = (await world.DeliveriesAsync(account)).Single();
        (waiting.State, waiting.Attempts, waiting.LastStatus).ShouldBe((DeliveryState.Waiting, 1, null));
        waiting.LastError.ShouldNotBeNull().ShouldStartWith(error);
    }

    [Fact]
    public async Task A_server_with_its_operators_own_database_refuses_unless_it_is_told_otherwise()
    {
        await using var world = await NotificationWorld.CreateAsync(("Notifications:AllowPrivateNetworks", ""));
        var account = await world.OpenAsync();
        await world.SpendAsync(account, 10);
        await world.TellAsync();
        world.Receiver.All.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("https://hooks.example.com/ledger?key=1")]
    [InlineData("http://hooks.example.com:8080/")]
    [InlineData("https://münchen.example/hook")]
    public void An_address_that_can_be_used_has_no_fault(string url) => NotificationTargets.FaultOf(url).ShouldBeNull();

    [Theory]
    [InlineData("", "must be an absolute https or http address")]
    [InlineData("/hook", "must be an absolute https or http address")]
    [InlineData("hooks.example.com/hook", "must be an absolute https or http address")]
    [InlineData("ftp://hooks.example.com/", "must be an absolute https or http address")]
    [InlineData("file:///etc/passwd", "must be an absolute https or http address")]
    [InlineData("https://", "must be an absolute https or http address")]
    [InlineData("https://me:secret@hooks.example.com/", "must not contain a user or a password")]
    [InlineData("https://@hooks.example.com/", "must not contain a user or a password")]
    [InlineData("https://hooks.example.com/#", "must not have a fragment")]
    [InlineData("https://hooks.example.com/#part", "must not have a fragment")]
    [InlineData(" https://hooks.example.com/", "must not contain blanks or control characters")]
    [InlineData("https://hooks.example.com/\r\nHost:x", "must not contain blanks or control characters")]
    [InlineData("https://hooks.example.com/\u0000", "must not contain blanks or control characters")]
    public async Task Any_other_says_what_is_wrong_and_is_not_taken(string url, string fault)
    {
        NotificationTargets.FaultOf(url).ShouldBe(fault);
        NotificationTargets.FaultOf("https://hooks.example.com/" + new string('x', 2000)).ShouldBe("must have at most 2,000 characters");
        await using var world = await NotificationWorld.CreateAsync();
        var account = await world.App.OpenAccountAsync();
        await Should.ThrowAsync<ArgumentException>(() => world.Targets.SetAsync(account.Id, url, false));
        (await world.Targets.GetAsync(account.Id)).Url.ShouldBeNull();
    }
}
