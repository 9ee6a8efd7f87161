using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ledger.EventStore.Checkpoints;

namespace Ledger.EventStore.Tests.Checkpoints;

/// <summary>The tree, pinned by the vectors of Certificate Transparency's reference implementation, and by some made from RFC 6962 in another language.</summary>
public sealed class MerkleTests
{
    private static readonly string[] Inputs =
    [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];

    private static byte[][] Leaves(int count) => [.. Inputs.Take(count).Select(input => Merkle.Leaf(Convert.FromHexString(input)))];

    private static byte[] Data(int number) => SHA256.HashData(Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)));

    [Theory]
    [InlineData(0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData(1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")]
    [InlineData(2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77")]
    [InlineData(4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7")]
    [InlineData(5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4")]
    [InlineData(6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef")]
    [InlineData(7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c")]
    [InlineData(8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")]
    public void The_root_is_that_of_RFC_6962(int count, string root) => Convert.ToHexStringLower(Merkle.Root(Leaves(count))).ShouldBe(root);

    [Theory]
    [InlineData(0, 1, "")]
    [InlineData(
        0,
        8,
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
    )]
    [InlineData(
        5,
        8,
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
    )]
    [InlineData(2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125")]
    [InlineData(
        1,
        5,
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
    )]
    public void The_path_is_that_of_RFC_6962_and_leads_to_the_root(int index, int count, string path)
    {
        var leaves = Leaves(count);
        var made = Merkle.Path(index, leaves);
        string.Join(' ', made.Select(Convert.ToHexStringLower)).ShouldBe(path);
        Merkle.RootFrom(leaves[index], index, count, made).ShouldBe(Merkle.Root(leaves));
    }

    [Fact]
    public void Every_leaf_of_every_tree_leads_to_its_root_and_no_other_does()
    {
        for (var count = 1; count <= 40; count++)
        {
            byte[][] leaves = [.. Enumerable.Range(0, count).Select(n => Merkle.Leaf(Data(n)))];
            var root = Merkle.Root(leaves);
            for (var index = 0; index < count; index++)
            {
                var path = Merkle.Path(index, leaves);
                Merkle.RootFrom(leaves[index], index, count, path).ShouldBe(root);
                Merkle.RootFrom(Merkle.Leaf(Data(99)), index, count, path).ShouldNotBe(root);
                if (count > 1)
                    Merkle.RootFrom(leaves[index], (index + 1) % count, count, path).ShouldNotBe(root);
                Merkle.RootFrom(leaves[index], index, count, [.. path, root]).ShouldBeNull();
                if (path.Count > 0)
                    Merkle.RootFrom(leaves[index], index, count, [.. path.Skip(1)]).ShouldNotBe(root);
            }
        }

        Merkle.RootFrom(Data(0), 1, 1, []).ShouldBeNull();
        Merkle.RootFrom(Data(0), -1, 1, []).ShouldBeNull();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(130)]
    [InlineData(200)]
    public void Segments_are_nodes_of_the_whole_tree(int count)
    {
        var segments = new MerkleSegments();
        for (var n = 0; n < count; n++)
            segments.Add(Data(n));
        byte[][] leaves = [.. Enumerable.Range(0, count).Select(n => Merkle.Leaf(Data(n)))];
        byte[][] nodes = [.. segments.End()];
        Merkle.Root(nodes).ShouldBe(Merkle.Root(leaves));
        nodes.Length.ShouldBe((count + 63) / 64);
        for (var index = 0; index < count; index++)
        {
            byte[][] own = [.. leaves.Skip(index / 64 * 64).Take(64)];
            ((byte[][])[.. Merkle.Path(index % 64, own), .. Merkle.Path(index / 64, nodes)]).ShouldBe(Merkle.Path(index, leaves));
        }
    }

    [Fact]
    public void Leaves_made_all_at_once_are_those_made_one_by_one_whatever_they_are_of()
    {
        var together = new MerkleLeaves();
        for (var count = 1; count <= MerkleSegments.Leaves; count++)
        {
            foreach (var odd in (int[])[count, 0, count / 2, count - 1])
            {
                byte[][] data = [.. Enumerable.Range(0, count).Select(n => n == odd ? Data(n)[..(n % 33)] : Data(n))];
                foreach (var one in data)
                    together.Add(one);
                together.Count.ShouldBe(count);
                together.Root().ShouldBe(Merkle.Root([.. data.Select(one => Merkle.Leaf(one))]));
                together.Count.ShouldBe(0);
            }
        }
    }

    [Fact]
    public void Segments_are_pinned()
    {
        var segments = new MerkleSegments();
        for (var n = 0; n < 200; n++)
            segments.Add(Data(n));
        byte[][] nodes = [.. segments.End()];
        Convert.ToHexStringLower(nodes[0]).ShouldBe("9b023f7291abef947c66cfe8e319c1dd19138cb49d1d55985a0e2f471b92e5d9");
        Convert.ToHexStringLower(nodes[3]).ShouldBe("3aa035e0d900c8e2f6fad994662225385493ae6b1f011843fe517eb0425e94b0");
        Convert.ToHexStringLower(Merkle.Root(nodes)).ShouldBe("bf77a8bb49bf9af75923204a8a70d0f0a15417c72bc34aaf93b563d4f629f0b6");
    }
}
